"""Cuts a csv text into records whose quoted fields may contain line ends (RFC 4180).

The Java side (SplitCsv.java) cuts by the same rules; tests/jobs/contract/records_cases.py tests both.

A record ends at a \\n, together with a \\r before it, or at the end of the text; but not inside a quoted
field. A field is quoted only if a quote is its first character, after byte order marks at the start of a
record. Elsewhere a quote is an ordinary character. Inside a quoted field, two quotes stand for one. The
closing quote must be followed by a separator, a line end, or the end of the text.

A quoted field that is not closed like this is broken. It spoils only its own line: its record ends with the
line in which the field opens, and the next line begins a new record. The time is linear in the length of any
text. Each stretch between two quotes is read at most twice, because a field that opens at one quote is judged
at the next unpaired one, and no other field can open between them.
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
_BROKEN, _LAST = (
    -1,
    -2,
)  # instead of a place: the field is not closed properly; no field follows in this record


def split_records(data: bytes, separator: bytes) -> Iterator[bytes]:
    """The records of a whole text, in order and unchanged, without their line ends. Blank ones are left
    out."""
    return (record for _, record in numbered(data, separator))


def numbered(data: bytes, separator: bytes) -> Iterator[tuple[int, bytes]]:
    """As split_records, but each record with the number of the line in which it starts, from 1."""
    start, line = 0, 1
    while start < len(data):
        end = _end(data, start, separator)
        record = data[start:end].removesuffix(b"\r")
        if not lines.is_blank(record):
            yield line, record
        line += data.count(b"\n", start, end) + 1
        start = end + 1


def stands_alone(record: bytes, separator: bytes) -> bool:
    """Whether the record stays one record whatever follows it, because it leaves no quoted field open."""
    return next(split_records(record + b'\n"\n', separator), b"") == record.removesuffix(b"\r")


def _end(data: bytes, start: int, separator: bytes) -> int:
    """The end of the record that begins at `start`: the place of its \\n, or the end of the text."""
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
    """The place after the byte order marks at `start`."""
    while data.startswith(lines.BOM, start):
        start += len(lines.BOM)
    return start


def _opening(data: bytes, field: int, end: int, separator: bytes) -> int:
    """The place where the first quoted field before `end` opens, or -1. `field`: a place where a field
    begins."""
    quote = data.find(_QUOTE, field, end)
    while quote > field and not data.endswith(separator, field, quote):
        quote = data.find(_QUOTE, quote + 1, end)
    return quote


def _closing(data: bytes, inside: int, end: int) -> int:
    """The place of the first unpaired quote before `end`, or -1. `inside`: a place in a quoted field."""
    quote = data.find(_QUOTE, inside, end)
    while quote >= 0 and data.startswith(_QUOTE, quote + 1):
        quote = data.find(_QUOTE, quote + 2, end)
    return quote


def _behind(data: bytes, closing: int, separator: bytes) -> int:
    """The place where the next field begins; _LAST at a line end; _BROKEN where the field is not closed
    properly."""
    if closing < 0:
        return _BROKEN
    if data.startswith(separator, closing + 1):
        return closing + 1 + len(separator)
    return _LAST if _LINE_END.match(data, closing + 1) else _BROKEN


@dataclass
class Spans:
    """Finds a quoted field that contains a whole line, in a text that is fed line by line. A reader of lines
    could take that line for a record.

    `found`: the first such field, as (line in which it opens, line in which it closes), from 1. Memory: a few
    numbers.
    """

    separator: bytes
    found: tuple[int, int] | None = None
    _line: int = 0
    _opened: int = 0  # the line in which the field was opened that is still open; 0 when none is open

    def feed(self, text: bytes, ends: int) -> None:
        """Reads the next `ends` lines; `text` has each with its \\n."""
        if self._opened or _has_odd(text):
            for number, line in enumerate(text.split(b"\n"), self._line + 1):
                if self._opened or line.count(_QUOTE) % 2 or self._may_open(line):
                    self._look(line, number)
        self._line += ends

    def _may_open(self, line: bytes) -> bool:
        """Whether the last field of a line may be open although the line has an even number of quotes. That
        happens when another quote stands in a field that is not quoted, such as an inch sign."""
        last = (self.separator + line).rfind(self.separator + _QUOTE)
        return last >= 0 and line.count(_QUOTE, last + 1) % 2 == 0

    def _look(self, line: bytes, number: int) -> None:
        field = self._close(line, number) if self._opened else _unmarked(line, 0)
        if field == _BROKEN:  # so each line since the field opened is a record of its own, and so is this one
            self._opened, field = 0, _unmarked(line, 0)
        while field >= 0 and (opening := _opening(line, field, len(line), self.separator)) >= 0:
            closing = _closing(line, opening + 1, len(line))
            field = _behind(line, closing, self.separator)
            self._opened = number if closing < 0 else 0

    def _close(self, line: bytes, number: int) -> int:
        """As _behind, for a line that may close the open field; _LAST also where the field stays open."""
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
    """Whether one of the lines has an odd number of quotes. In well-formed text, a field that spans lines
    opens and closes in such lines. This test is fast, and most texts need no other."""
    return _QUOTE in text and _QUOTE in text.translate(None, _NEITHER).replace(b'""', b"")


def read(path: Path, source: Files) -> Iterator[tuple[int, bytes]]:
    """The records of a delivered file as Spark gets them: (line in which it starts, unchanged bytes). Blank
    ones are left out. Raises lines.UNREADABLE."""
    with lines.opened(path) as text:
        if source.multiline:
            yield from numbered(text.read(), source.multiline_separator)
            return
        for number, line in enumerate(text, 1):
            if not lines.is_blank(line):
                # Spark's own reader drops one mark at the start of a file.
                yield number, (line.removeprefix(lines.BOM) if number == 1 else line).removesuffix(b"\n")
