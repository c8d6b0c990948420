"""Tables that fit where they are printed: with every column, with fewer, with folded prose, or as one record
below the other. No value is ever cut."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from include.cli.terminal.progress import print_above
from include.cli.terminal.screen import padded, printable, styled, width

_GAP = 2
_PROSE = 24  # columns that folded text needs at least to be readable
Cells = Sequence[Sequence[str]]


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    title: str = "",
    *,
    least: Sequence[str] = (),
    prose: str = "",
) -> None:
    """Prints aligned columns.

    On a terminal that is too narrow, the columns `least` are left out, the first one first, and named below.
    If the last column is `prose`, its sentences are folded. If the table still does not fit, each row becomes
    a record with one line per column. A pipe or file gets all of it, in unbroken lines.
    """
    cells = [[printable(str(cell)).replace("\t", "\\x09") for cell in row] for row in rows]
    bold = styled(sys.stdout)
    for line in lines(columns, cells, width(), least, prose, title):
        print_above(f"\x1b[1m{line}\x1b[0m" if bold and isinstance(line, _Heading) else line)


class _Heading(str):
    """A line that stands out: a title, the columns' names, the first line of a record."""


def lines(
    columns: Sequence[str],
    rows: Cells,
    room: int | None,
    least: Sequence[str] = (),
    prose: str = "",
    title: str = "",
) -> Iterator[str]:
    """The table's lines for `room` columns of a terminal; None: for any width."""
    if title:
        yield _Heading(title)
    if not columns:
        return
    left_out: list[str] = []
    for name in ("", *least):
        left_out += [name] if name else []
        kept = [at for at, column in enumerate(columns) if column not in left_out]
        names, chosen = [columns[at] for at in kept], [[row[at] for at in kept] for row in rows]
        if _fits(names, chosen, room, prose):
            yield from _aligned(names, chosen, room, prose)
            if left_out:
                yield from _words(
                    f"no room here for {', '.join(left_out)}: a wider terminal or a pipe shows all",
                    room or 80,
                )
            return
    yield from _records(columns, rows)


def _widths(columns: Sequence[str], rows: Cells) -> list[int]:
    return [max(map(cell_len, texts)) for texts in zip(columns, *rows, strict=True)]


def _fits(columns: Sequence[str], rows: Cells, room: int | None, prose: str) -> bool:
    widths = _widths(columns, rows)
    if columns[-1] == prose:
        widths[-1] = min(
            widths[-1], max([_PROSE, *(cell_len(word) for row in rows for word in row[-1].split(" "))])
        )
    return room is None or sum(widths) + _GAP * (len(widths) - 1) <= room


def _aligned(columns: Sequence[str], rows: Cells, room: int | None, prose: str) -> Iterator[str]:
    widths = _widths(columns, rows)
    before = sum(widths[:-1]) + _GAP * (len(widths) - 1)
    for number, row in enumerate([columns, *rows]):
        last = list(_words(row[-1], room - before)) if room and columns[-1] == prose else [row[-1]]
        head = (" " * _GAP).join([*(padded(c, w) for c, w in zip(row[:-1], widths[:-1], strict=True)), ""])
        line = f"{head}{last[0]}".rstrip()
        yield line if number else _Heading(line)
        yield from (f"{' ' * before}{text}" for text in last[1:])


def _records(columns: Sequence[str], rows: Cells) -> Iterator[str]:
    """One line per value, after its column's name, with a blank line between records."""
    wide = max(map(cell_len, columns))
    for number, row in enumerate(rows):
        yield from [""] if number else []
        record = [f"{padded(name, wide)}  {cell}".rstrip() for name, cell in zip(columns, row, strict=True)]
        yield _Heading(record[0])
        yield from record[1:]


def _words(text: str, room: int) -> list[str]:
    """`text` folded at blanks to lines of `room` columns of a terminal; a longer word has a line of
    its own."""
    folded = [""]
    for word in text.split(" "):
        longer = f"{folded[-1]} {word}" if folded[-1] else word
        if folded[-1] and cell_len(longer) > room:
            folded.append(word)
        else:
            folded[-1] = longer
    return [line.rstrip(" ") for line in folded]
