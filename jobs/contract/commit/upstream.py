"""Part files of another stream, as the source log of a stream that reads them names them:
.../gen=0001/batch=000000007/part-x."""

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
    """The published batches of every live generation; Spark passes over what begins with `_`."""
    return f"{layout.salida(stream)}/gen=*/batch=*"


def part(path: str) -> Part:
    """Raises DataError for a path that is no published part file's."""
    *_, generation, batch, name = ("", "", *path.split("/"))
    numbers = parse_generation(generation), parse_batch(batch)
    if numbers[0] is None or numbers[1] is None:
        raise DataError("the source log names a file that no stream has published", path)
    return Part(numbers[0], numbers[1], name)


def outputs(layout: Layout, stream: str, parts: Iterable[Part]) -> dict[Part, OutputFile]:
    """What the manifest of its batch says of each part file.

    Raises PlannedFileMissing for one that is gone or is not what its manifest names: Spark would commit
    without its rows.
    """
    found: dict[Part, OutputFile] = {}
    by_batch: dict[Path, list[Part]] = {}
    for one in parts:
        by_batch.setdefault(layout.batch(stream, one.generation, one.batch), []).append(one)
    for folder, wanted in by_batch.items():
        known = {file.name: file for file in manifest.read(folder).files} if folder.is_dir() else {}
        for one in wanted:
            if one.name not in known:
                raise _missing(stream, "planned, but no longer published", folder / one.name)
            if (have := _size(stream, folder / one.name)) != known[one.name].size_bytes:
                raise _missing(
                    stream,
                    f"{have} bytes now, {known[one.name].size_bytes} when it was published",
                    folder / one.name,
                )
            found[one] = known[one.name]
    return found


def planned(layout: Layout, stream: str, files: Iterable[SourceEntry]) -> int:
    """Records of a batch's planned files. Raises as `outputs`."""
    return sum(
        found.records for found in outputs(layout, stream, [part(file.path) for file in files]).values()
    )


def _size(stream: str, path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError as error:
        raise _missing(stream, "planned, but not there", path) from error


def _missing(stream: str, what: str, path: Path) -> PlannedFileMissing:
    way = (
        f"./caudal generation undo {stream} if it was reset or retired, else ./caudal generation reset "
        "STREAM reads what is published now"
    )
    return PlannedFileMissing(what, path, cli=way)
