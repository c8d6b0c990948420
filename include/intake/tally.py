"""What is counted and looked for in a text that is fed piece by piece."""

from __future__ import annotations

from jobs.contract.text import csv_records, lines
from jobs.contract.text.lines import BOM


class Records:
    """Counts the lines that are not blank in bytes fed piece by piece; a last line needs no \\n. Memory: one piece.

    `longest_bytes`: of any line, its \\n left out.
    """

    def __init__(self) -> None:
        self.longest_bytes = 0
        self._count = 0
        self._length = 0  # bytes of the line under way
        self._open = False  # whether it has a character that is not ASCII white space
        self._start: bytes | None = (
            b""  # the part of a byte order mark that it begins with, so far; None from its first other byte on
        )

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
        """More of the line under way."""
        self._length += len(part)
        if self._start is not None:
            part = lines.unmarked(self._start + part)
            self._start = part if BOM.startswith(part) else None
        if self._start is None:
            self._open = self._open or bool(part.strip())

    def _is_record(self) -> bool:
        return self._open or bool(self._start)


def _not_blank(rows: list[bytes], marked: bool) -> int:
    """`marked`: whether there is a byte order mark among them, which costs a look at each."""
    return (
        sum(1 for row in rows if not lines.is_blank(row)) if marked else sum(1 for row in rows if row.strip())
    )


class Whole:
    """As Records for csv records that may span lines. Memory: the text."""

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


class Fields:
    """Finds quoted csv fields with a line inside, in bytes fed piece by piece. Memory: a piece and the line under way; from a line of more than
    `longest` bytes on it looks no further: its file is refused for that."""

    def __init__(self, separator: bytes, longest: int) -> None:
        self._spans = csv_records.Spans(separator)
        self._longest = longest
        self._tail = b""
        self._ended = False

    def feed(self, data: bytes, ends: int) -> None:
        """`ends`: the number of \\n in it."""
        if ends and not self._ended:
            cut = data.rfind(b"\n") + 1
            # lines without a quote need no look, and most files have none
            self._spans.feed(self._tail + data[:cut] if b'"' in data or b'"' in self._tail else b"", ends)
            self._tail, data = b"", data[cut:]
        self._tail += data
        self._ended = self._ended or len(self._tail) > self._longest
        if self._ended:
            self._tail = b""

    def found(self) -> tuple[int, int] | None:
        if self._tail:
            self._spans.feed(self._tail + b"\n", 1)
            self._tail = b""
        return self._spans.found
