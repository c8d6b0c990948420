"""Counters for a text that is fed piece by piece."""

from __future__ import annotations

from jobs.contract.text import csv_records, lines
from jobs.contract.text.lines import BOM


class LineCounter:
    """Counts the lines that are not blank. The last line needs no \\n. Memory: one piece.

    `longest_bytes`: of the longest line, without its \\n.
    """

    def __init__(self) -> None:
        self.longest_bytes = 0
        self._count = 0
        self._length = 0  # bytes of the line under way
        self._open = False  # whether that line has a character that is not ASCII white space
        # The part of a byte order mark with which that line begins, so far; None after its first other byte.
        self._start: bytes | None = b""

    def feed(self, data: bytes) -> int:
        """Returns the number of \\n in it."""
        first, *rest = data.split(b"\n")
        ends = len(rest)
        self._go_on(first)
        if rest:
            last = rest.pop()
            self.longest_bytes = max(self.longest_bytes, self._length, *map(len, rest))
            self._count += self._is_record() + _not_blank(rest, BOM[0] in data and BOM in data)
            self._open, self._start, self._length = False, b"", 0
            self._go_on(last)
        self.longest_bytes = max(self.longest_bytes, self._length)
        return ends

    def total(self) -> int:
        return self._count + self._is_record()

    def _go_on(self, part: bytes) -> None:
        """Adds a part to the line under way."""
        self._length += len(part)
        if self._start is not None:
            part = lines.unmarked(self._start + part)
            self._start = part if BOM.startswith(part) else None
        if self._start is None:
            self._open = self._open or bool(part.strip())

    def _is_record(self) -> bool:
        return self._open or bool(self._start)


def _not_blank(rows: list[bytes], marked: bool) -> int:
    """How many rows are not blank. `marked`: some row has a byte order mark, and the slower check is
    needed."""
    if marked:
        return sum(1 for row in rows if not lines.is_blank(row))
    return sum(1 for row in rows if row.strip())


class CsvRecordCounter:
    """As LineCounter, for csv records that may span lines. Memory: the whole text."""

    def __init__(self, separator: bytes) -> None:
        self.longest_bytes = 0
        self._separator = separator
        self._parts: list[bytes] = []
        self._count = 0

    def feed(self, data: bytes) -> int:
        self._parts.append(data)
        return 0

    def total(self) -> int:
        text, self._parts = b"".join(self._parts), []
        for record in csv_records.split_records(text, self._separator):
            self._count += 1
            self.longest_bytes = max(self.longest_bytes, len(record))
        return self._count


class SpanningFields:
    """Finds a quoted csv field that spans lines. Memory: one piece, and the line under way.

    It stops at a line of more than `longest` bytes, because the file is refused for that line.
    """

    def __init__(self, separator: bytes, longest: int) -> None:
        self._spans = csv_records.Spans(separator)
        self._longest = longest
        self._tail = b""
        self._ended = False

    def feed(self, data: bytes, ends: int) -> None:
        """`ends`: the number of \\n in it."""
        if ends and not self._ended:
            cut = data.rfind(b"\n") + 1
            # Lines without a quote need no look, and most files have no quotes.
            is_quoted = b'"' in data or b'"' in self._tail
            self._spans.feed(self._tail + data[:cut] if is_quoted else b"", ends)
            self._tail, data = b"", data[cut:]
        self._tail += data
        self._ended = self._ended or len(self._tail) > self._longest
        if self._ended:
            self._tail = b""

    def found(self) -> tuple[int, int] | None:
        """(first line, last line) of the field; None if there is no such field."""
        if self._tail:
            self._spans.feed(self._tail + b"\n", 1)
            self._tail = b""
        return self._spans.found
