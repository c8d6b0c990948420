"""Records of a csv text whose quoted fields may hold line ends, after RFC 4180. The Java side cuts by the
same rules: both are tested with tests/jobs/contract/records_cases.py.

A record ends at a \\n, of which a \\r before it is a part, or at the end of the text; but not inside a quoted
field. A field is quoted only if a quote is its first character (byte order marks at the start of a record do
not count); elsewhere a quote is a character. Inside, two quotes stand for one. The quote that closes must be
followed by a separator, a line end, or the end of the text.

A quoted field that does not close so, or not at all, is broken, and costs no more than its own line: its
record ends with the line in which the field opens, and the next line begins a new record. Every stretch
between two quotes is looked at twice at most: a field that opens at one quote is judged at the next unpaired
one, and no other field opens between them. So the time is linear in the text, whatever is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs.contract.stream import Files
from jobs.contract.text import lines

_QUOTE = b'"'
_LINE_END = re.compile(rb"\r?(\n|\Z)")
_BROKEN, _LAST = -1, -2  # what stands behind a closing quote, where it is no separator


def split_records(data: bytes, separator: bytes) -> Iterator[bytes]:
    """The records of a whole text in order, as they came, without their line ends; blank ones are left
    out."""
    return (record for _, record in numbered(data, separator))


def numbered(data: bytes, separator: bytes) -> Iterator[tuple[int, bytes]]:
    """As split_records, each with the number of the line it starts in, from 1."""
    start, line = 0, 1
    while start < len(data):
        end = _end(data, start, separator)
        record = data[start:end].removesuffix(b"\r")
        if not lines.is_blank(record):
            yield line, record
        line += data.count(b"\n", start, end) + 1
        start = end + 1


def stands_alone(record: bytes, separator: bytes) -> bool:
    """Whether it is one record whatever follows it: no quoted field of its own is left open."""
    return next(split_records(record + b'\n"\n', separator), b"") == record.removesuffix(b"\r")


def _end(data: bytes, start: int, separator: bytes) -> int:
    """Where the record that begins at `start` ends: the place of its \\n, or the end of the text."""
    line_end, field = _line_end(data, start), _unmarked(data, start)
    while (opening := _opening(data, field, line_end, separator)) >= 0:
        closing = _closing(data, opening + 1, len(data))
        field = _behind(data, closing, separator)
        if field == _BROKEN:
            return line_end
        if closing > line_end:
            line_end = _line_end(data, closing)
        if field == _LAST:
            return line_end
    return line_end


def _line_end(data: bytes, start: int) -> int:
    found = data.find(b"\n", start)
    return found if found >= 0 else len(data)


def _unmarked(data: bytes, start: int) -> int:
    """Behind the byte order marks at `start`."""
    while data.startswith(lines.BOM, start):
        start += len(lines.BOM)
    return start


def _opening(data: bytes, field: int, end: int, separator: bytes) -> int:
    """Where the first quoted field before `end` opens, or -1. `field`: where a field begins."""
    quote = data.find(_QUOTE, field, end)
    while quote > field and not data.endswith(separator, field, quote):
        quote = data.find(_QUOTE, quote + 1, end)
    return quote


def _closing(data: bytes, inside: int, end: int) -> int:
    """Where the first quote without a pair stands before `end`, or -1. `inside`: a place in a quoted
    field."""
    quote = data.find(_QUOTE, inside, end)
    while quote >= 0 and data.startswith(_QUOTE, quote + 1):
        quote = data.find(_QUOTE, quote + 2, end)
    return quote


def _behind(data: bytes, closing: int, separator: bytes) -> int:
    """Where the next field begins, _LAST at a line end, _BROKEN where the field does not close."""
    if closing < 0:
        return _BROKEN
    if data.startswith(separator, closing + 1):
        return closing + 1 + len(separator)
    return _LAST if _LINE_END.match(data, closing + 1) else _BROKEN


@dataclass
class Spans:
    """Looks for a quoted field with a whole line inside it: read line by line, that one could pass for a
    record. `found`: the first such field as (line it opens in, line it closes in), from 1. Memory: a few
    numbers."""

    separator: bytes
    found: tuple[int, int] | None = None
    _line: int = 0
    _opened: int = 0  # the line in which a field was opened that is open still; 0: none is

    def feed(self, text: bytes, ends: int) -> None:
        """The next lines, each with its \\n, of which there are `ends`."""
        if self._opened or _has_odd(text):
            for number, line in enumerate(text.split(b"\n"), self._line + 1):
                if self._opened or line.count(_QUOTE) % 2 or self._may_open(line):
                    self._look(line, number)
        self._line += ends

    def _may_open(self, line: bytes) -> bool:
        """Of a line with an even number of quotes, as one with an inch sign in a field that is not quoted:
        whether its last field may be open."""
        last = (self.separator + line).rfind(self.separator + _QUOTE)
        return last >= 0 and line.count(_QUOTE, last + 1) % 2 == 0

    def _look(self, line: bytes, number: int) -> None:
        field = self._close(line, number) if self._opened else _unmarked(line, 0)
        if field == _BROKEN:  # the lines since the field opened stand for themselves, and so does this one
            self._opened, field = 0, _unmarked(line, 0)
        while field >= 0 and (opening := _opening(line, field, len(line), self.separator)) >= 0:
            closing = _closing(line, opening + 1, len(line))
            field = _behind(line, closing, self.separator)
            self._opened = number if closing < 0 else 0

    def _close(self, line: bytes, number: int) -> int:
        """Where the next field begins in a line that may close the open one; _LAST also where it stays open;
        _BROKEN."""
        closing = _closing(line, 0, len(line))
        if closing < 0:
            return _LAST
        field = _behind(line, closing, self.separator)
        if field != _BROKEN:
            self.found = self.found or ((self._opened, number) if number - self._opened > 1 else None)
            self._opened = 0
        return field


_NEITHER = bytes(set(range(256)) - set(b'"\n'))


def _has_odd(text: bytes) -> bool:
    """Whether one of the lines has an odd number of quotes: a field that spans lines of well-formed text
    opens and closes in such a line."""
    return _QUOTE in text and _QUOTE in text.translate(None, _NEITHER).replace(b'""', b"")


def read(path: Path, source: Files) -> Iterator[tuple[int, bytes]]:
    """The records of a delivered file as Spark gets them: (line it starts in, bytes as they came), blank ones
    left out. Raises lines.UNREADABLE."""
    with lines.opened(path) as text:
        if source.multiline:
            yield from numbered(text.read(), source.multiline_separator)
            return
        for number, line in enumerate(text, 1):
            if not lines.is_blank(line):
                # of a mark at the start of a file, Spark's own reader leaves out one
                yield number, (line.removeprefix(lines.BOM) if number == 1 else line).removesuffix(b"\n")
