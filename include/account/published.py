"""What a stream has published: counts from the manifests, the newest rows from the files of its live generations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from include.settings import Settings
from jobs.contract.commit import manifest
from jobs.contract.commit.manifest import Manifest
from jobs.contract.disk.layout import parse_generation
from jobs.contract.errors import DataError
from jobs.contract.run import report
from jobs.contract.run.report import Report
from jobs.contract.stream import Files, Stream

_LOOKED_AT = 1000  # records of a file
_READERS = {
    "json": "read_json(?, format = 'newline_delimited', union_by_name = true, hive_partitioning = false, maximum_object_size = 67108864)",
    "parquet": "read_parquet(?, union_by_name = true, hive_partitioning = false)",
    # the form of docs/csv.md, only names are left to find; read in parallel, a line end in a value may cut a row
    "csv": "read_csv(?, delim = ?, header = ?, quote = '\"', escape = '\"', new_line = '\\n', nullstr = '', "
    "allow_quoted_nulls = false, comment = '', skip = 0, all_varchar = true, union_by_name = true, "
    "hive_partitioning = false, parallel = false, max_line_size = 67108864)",
}


@dataclass(frozen=True)
class Batch:
    folder: Path
    manifest: Manifest


@dataclass(frozen=True)
class Summary:
    """Counts over all live generations; `run` is the newest run's report, `with_data` the newest that read something; None before the first."""

    batches: int
    records_in: int
    rows: int
    quarantined: int
    run: Report | None
    with_data: Report | None = None


def batches(settings: Settings, stream: Stream) -> list[Batch]:
    """Published batches of the live generations, oldest first. Raises DataError for a batch without a readable manifest."""
    salida = settings.layout.salida(stream.name)
    if not salida.is_dir():
        return []
    generations = sorted(
        (n, entry) for entry in salida.iterdir() if (n := parse_generation(entry.name)) is not None
    )
    return [
        Batch(folder, manifest.read(folder))
        for _, output in generations
        for folder in manifest.published(output).values()
    ]


def summary(settings: Settings, stream: Stream) -> Summary:
    """One pass over the manifests, no data file is opened."""
    found = [b.manifest for b in batches(settings, stream)]
    runs = settings.layout.runs(stream.name)
    newest = next(report.newest(runs), None)
    counts = (
        sum(m.records_in for m in found),
        sum(m.rows_out for m in found),
        sum(m.quarantined for m in found),
    )
    return Summary(
        len(found), *counts, report.read(newest) if newest else None, report.newest_with_data(runs)
    )


def newest_rows(settings: Settings, stream: Stream, rows: int) -> list[dict[str, Any]]:
    """The last `rows` rows by batch and file, oldest first, columns in the order of the sink; [] before the first batch. Opens only the batches
    that hold them. Raises DataError when a file named by a manifest is gone or not what it should be.
    """
    paths: list[Path] = []
    orders: list[Sequence[str]] = []
    reached = 0
    for batch in reversed(batches(settings, stream)):
        if reached >= rows:
            break
        files = [batch.folder / f.name for f in batch.manifest.files if f.records]
        paths, orders = files + paths, [*_orders(stream, batch.manifest, files), *orders]
        reached += batch.manifest.rows_out
    found = _query(stream, list(map(str, paths)), rows, max(0, reached - rows)) if paths else []
    names = merged(orders)
    return [{name: row[name] for name in dict.fromkeys((*names, *row)) if name in row} for row in found]


def columns(settings: Settings, stream: Stream) -> list[str]:
    """Of the newest batch that tells, in the order of the sink; [] when none does."""
    return list(
        next((b.manifest.columns for b in reversed(batches(settings, stream)) if b.manifest.columns), ())
    )


def merged(orders: Iterable[Sequence[str]]) -> list[str]:
    """All names in one order that keeps each of `orders`; as they were first seen where these contradict each other."""
    chains = list(dict.fromkeys(map(tuple, orders)))
    names = list(dict.fromkeys(name for chain in chains for name in chain))
    sorter = TopologicalSorter[str](dict.fromkeys(names, ()))
    for before, after in (pair for chain in chains for pair in pairwise(chain)):
        sorter.add(after, before)
    try:
        sorter.prepare()
    except CycleError:
        return names
    found: list[str] = []
    ready: list[str] = []
    while sorter.is_active():
        ready = [*sorter.get_ready(), *ready]  # the newest first: along a chain as far as it goes
        found.append(ready.pop(0))
        sorter.done(found[-1])
    return found


def _orders(stream: Stream, found: Manifest, files: Sequence[Path]) -> list[Sequence[str]]:
    """The order of a batch's columns; of an older batch as JSON, in which nulls are left out, the orders of its first records."""
    if found.columns or not isinstance(stream.sink, Files) or stream.sink.format != "json":
        return [found.columns]
    orders: dict[tuple[str, ...], None] = {}
    with suppress(OSError, ValueError, TypeError):  # what cannot be read is told where the rows are
        for file in files:
            with file.open("rb") as lines:
                orders |= dict.fromkeys(tuple(json.loads(line)) for line in islice(lines, _LOOKED_AT))
    return list(orders)


def _query(stream: Stream, paths: list[str], rows: int, skip: int) -> list[dict[str, Any]]:
    import duckdb

    sink = stream.sink
    assert isinstance(sink, Files), stream.name  # noqa: S101 - only files have part files
    form = [sink.separator, sink.header] if sink.format == "csv" else []
    try:
        with duckdb.connect(":memory:") as database:
            database.execute("SET autoinstall_known_extensions = false")
            cursor = database.execute(
                f"SELECT * FROM {_READERS[sink.format]} LIMIT ? OFFSET ?", [paths, *form, rows, skip]
            )
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except duckdb.Error as error:
        raise DataError(
            f"published files cannot be read: {str(error).splitlines()[0]}", Path(paths[-1]).parent
        ) from error
