"""Counts and hashes part files without Spark, as an independent check of what Spark has written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 1024 * 1024  # read at once: memory stays small, whatever the size of the file
ParquetRows = Callable[
    [Path], int
]  # the contract has no parquet reader of its own: each side brings pyarrow's


@dataclass(frozen=True)
class Measure:
    """One part file. `sha256`: hex; empty when it was not asked for. `rows`: number of records, without a csv
    header."""

    size_bytes: int
    sha256: str
    rows: int


def measure(
    file: Path, form: str, header: bool, parquet_rows: ParquetRows, *, digest: bool = True
) -> Measure:
    """Measures a file in one pass. Of parquet without `digest`, only the footer is read. Raises OSError."""
    if form == "parquet" and not digest:
        return Measure(file.stat().st_size, "", parquet_rows(file))
    sha, ends, size, quoted = hashlib.sha256(), 0, 0, False
    with file.open("rb") as data:
        while chunk := data.read(CHUNK_BYTES):
            if digest:
                sha.update(chunk)
            more, quoted = _line_ends(chunk, quoted) if form == "csv" else (chunk.count(b"\n"), False)
            ends += more
            size += len(chunk)
    rows = parquet_rows(file) if form == "parquet" else ends - int(form == "csv" and header and ends > 0)
    return Measure(size, sha.hexdigest() if digest else "", rows)


def data_files(folder: Path) -> Iterator[Path]:
    """The files of a batch that readers see, sorted by name. Raises FileNotFoundError when the folder is
    gone."""
    return (file for file in sorted(folder.iterdir()) if not file.name.startswith(("_", ".")))


def _line_ends(chunk: bytes, quoted: bool) -> tuple[int, bool]:
    """The number of line ends outside of quoted fields, and whether the chunk ends inside one. `quoted`:
    whether it begins inside one. A doubled quote leaves the field and enters it again, so it needs no special
    case."""
    parts = chunk.split(b'"')
    return sum(part.count(b"\n") for part in parts[quoted::2]), quoted == (len(parts) % 2 == 1)
