"""Reads the first lines of csv files: which field of a file's records is which column. A header is never a
record.

If a header does not fit, every record of the file is refused, and the first line too, because it may be a
record of a file without a header.
"""

from __future__ import annotations

import csv
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jobs.contract.stream import Files
from jobs.contract.text import lines, reprocessed

_LONGEST = 1024 * 1024  # bytes of a first line that are read


@dataclass(frozen=True)
class HeaderLayout:
    """How the records of a file are laid out. `header`: its first line; empty when it has no header. `names`:
    the folded names in it. `places`: for each column of the schema, the number of its field, or -1. `fields`:
    number of fields of each record. `problem`: why nothing of the file is read; empty when it fits."""

    header: str = ""
    names: tuple[str, ...] = ()
    places: tuple[int, ...] = ()
    fields: int = 0
    problem: str = ""

    @property
    def follows_schema(self) -> bool:
        """Whether the records can be read without the header."""
        return self.places == tuple(range(self.fields)) and not self.problem


@dataclass(frozen=True)
class HeaderLayouts:
    """The layouts of a batch's files. `files`: file name -> place in `kinds`. Files that are not in it have
    the first of `kinds`, the most common layout: that keeps the SQL short."""

    kinds: tuple[HeaderLayout, ...]
    files: dict[str, int] = field(default_factory=dict)


def plain(columns: Sequence[str]) -> HeaderLayout:
    """The layout of records in the schema's order, without a header."""
    return HeaderLayout(places=tuple(range(len(columns))), fields=len(columns))


def read(files: Iterable[Path], columns: Sequence[str], source: Files) -> HeaderLayouts:
    """The layouts of existing files. Raises lines.UNREADABLE."""
    layouts = {file.name: _of_file(file, columns, source) for file in files}
    kinds = [layout for layout, _ in Counter(layouts.values()).most_common()] or [plain(columns)]
    number = {layout: i for i, layout in enumerate(kinds)}
    numbers = {name: number[layout] for name, layout in layouts.items() if number[layout]}
    return HeaderLayouts(tuple(kinds), numbers)


def _of_file(file: Path, columns: Sequence[str], source: Files) -> HeaderLayout:
    if reprocessed.is_headless(file):
        return plain(columns)
    return of(lines.first_line(file, _LONGEST).decode("utf-8", "replace"), columns, source)


def of(header: str, columns: Sequence[str], source: Files) -> HeaderLayout:
    """The layout given by a first line, under the row's `columns`, `missing_columns` and `extra_columns`."""
    given = _names(header, source.separator)
    names = tuple(map(folded, given))
    if source.columns == "by-position":
        places = tuple(i if i < len(given) else -1 for i in range(len(columns)))
    else:
        known = {name: i for i, name in enumerate(names)}
        places = tuple(known.get(folded(column), -1) for column in columns)
    problem = _problem(given, columns, places, source)
    return HeaderLayout(problem=problem) if problem else HeaderLayout(header, names, places, len(given))


def folded(name: str) -> str:
    """The name without differences of case, outer blanks and Unicode form. CsvCheck.java does the same."""
    return unicodedata.normalize("NFC", name.strip()).lower()


def _problem(given: Sequence[str], columns: Sequence[str], places: Sequence[int], source: Files) -> str:
    """Why records under these names cannot be read, with the option of the row that would read them; empty
    when they can."""
    names = [folded(name) for name in given]
    unknown = [given[i] for i in range(len(given)) if i not in places]
    missing = [column for column, place in zip(columns, places, strict=True) if place < 0]
    there = [place for place in places if place >= 0]
    twice = next(
        (name for name, count in Counter(names).items() if count > 1 and name in map(folded, columns)), None
    )
    option = ""
    if twice is not None and source.columns != "by-position":
        what = f"{twice} stands there twice"
    elif unknown and (source.extra_columns == "refuse" or not there):
        what, option = (
            f"{_list(unknown)} is none of {_list(columns)}",
            'extra_columns="ignore" reads the file without it' if not missing else "",
        )
    elif missing and source.missing_columns == "refuse":
        what, option = (
            f"{_list(missing)} is not among {_list(given)}",
            'missing_columns="null" reads null there',
        )
    elif source.columns == "in-order" and there != sorted(there):
        what, option = (
            f"its columns are {_list(given)}, expected in this order: {_list(columns)}",
            'columns="by-name" finds them by name',
        )
    else:
        return ""
    end = (
        f" -> {option}"
        if option
        else " -> name the columns as the schema does; header=False for files without a header"
    )
    return f"the file's first line does not fit: {what} (it names {_list(given)}){end}"


def _list(names: Sequence[str]) -> str:
    """At most 20 names, each cut to 40 characters."""
    shown = [repr(name)[1:-1][:40] or "(no name)" for name in names[:20]]
    return ", ".join([*shown, *(["…"] if len(names) > 20 else [])])


def _names(line: str, separator: str) -> list[str]:
    try:
        row = next(csv.reader([line], delimiter=separator, strict=True), [])
    except csv.Error:
        return [line]
    return [name.strip() for name in row]
