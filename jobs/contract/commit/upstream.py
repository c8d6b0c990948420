"""Finds the part files that a stream has read from another stream, and checks them against their manifests.

The source log names them by path: .../gen=0001/batch=000000007/part-x.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from jobs.contract.commit import manifest
from jobs.contract.commit.checkpoint import SourceEntry
from jobs.contract.commit.manifest import OutputFile
from jobs.contract.disk.layout import Layout, parse_batch, parse_generation
from jobs.contract.errors import DataError, PlannedFileMissing

PREFIX = "part-"


class Part(NamedTuple):
    generation: int
    batch: int
    name: str

    def path(self, layout: Layout, stream: str) -> Path:
        return layout.batch(stream, self.generation, self.batch) / self.name


def glob(layout: Layout, stream: str) -> str:
    """A path pattern for the published batches of every live generation. Spark skips names that begin with
    `_`, so it does not read manifests."""
    return f"{layout.salida(stream)}/gen=*/batch=*"


def part(path: str) -> Part:
    """The part file at `path`. Raises DataError for a path that is not that of a published part file."""
    *_, generation, batch, name = ("", "", *path.split("/"))
    numbers = parse_generation(generation), parse_batch(batch)
    if numbers[0] is None or numbers[1] is None:
        raise DataError("the source log names a file that is not a published part file", path)
    return Part(numbers[0], numbers[1], name)


def outputs(layout: Layout, stream: str, parts: Iterable[Part]) -> dict[Part, OutputFile]:
    """The manifest entry of each part file.

    Raises PlannedFileMissing for a file that is gone or differs from its entry: Spark would commit the batch
    without its rows.
    """
    entries: dict[Part, OutputFile] = {}
    by_batch: dict[Path, list[Part]] = {}
    for wanted in parts:
        by_batch.setdefault(layout.batch(stream, wanted.generation, wanted.batch), []).append(wanted)
    for folder, planned_parts in by_batch.items():
        known = {file.name: file for file in manifest.read(folder).files} if folder.is_dir() else {}
        for wanted in planned_parts:
            file, entry = folder / wanted.name, known.get(wanted.name)
            if entry is None:
                raise _missing(stream, "planned, but no longer published", file)
            if (size := _size(stream, file)) != entry.size_bytes:
                what = f"{size} bytes now, {entry.size_bytes} when it was published"
                raise _missing(stream, what, file)
            entries[wanted] = entry
    return entries


def planned(layout: Layout, stream: str, files: Iterable[SourceEntry]) -> int:
    """The number of records in a batch's planned files. Raises as `outputs`."""
    entries = outputs(layout, stream, [part(file.path) for file in files])
    return sum(entry.records for entry in entries.values())


def _size(stream: str, path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError as error:
        raise _missing(stream, "planned, but the file is gone", path) from error


def _missing(stream: str, what: str, path: Path) -> PlannedFileMissing:
    way = (
        f"./caudal generation undo {stream} if it was reset or retired, else ./caudal generation reset "
        "STREAM reads what is published now"
    )
    return PlannedFileMissing(what, path, cli=way)
