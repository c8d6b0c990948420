"""First lines of csv files: do they name the columns, and in the schema's order?"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from jobs.contract import lines
from jobs.core.records import CsvHeads

_LONGEST = 1024 * 1024


def read(files: Iterable[Path], columns: Sequence[str], separator: str) -> CsvHeads:
    """A line that names all columns, quoted or not, in any case, is a header; in another order it makes its file wrong. Any other first line is
    a record."""
    headers, wrong = set(), set()
    for file in files:
        line = _first_line(file)
        names = _names(line, separator)
        if names == [column.casefold() for column in columns]:
            headers.add(line)
        elif len(names) > 1 and set(names) <= {column.casefold() for column in columns}:
            wrong.add(file.name)
    return CsvHeads(frozenset(headers), frozenset(wrong))


def _first_line(file: Path) -> str:
    return lines.first_line(file, _LONGEST).decode("utf-8", "replace")


def _names(line: str, separator: str) -> list[str]:
    try:
        row = next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []
    return [name.strip().casefold() for name in row]
