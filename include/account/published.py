"""Reads what a stream has published: counts from the manifests, the newest rows from the files of its live
generations."""

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

_LOOKED_AT = 1000  # records of a file whose names are read: enough to meet each optional column
_READERS = {
    "json": "read_json(?, format = 'newline_delimited', union_by_name = true, hive_partitioning = false, "
    "maximum_object_size = 67108864)",
    "parquet": "read_parquet(?, union_by_name = true, hive_partitioning = false)",
    # docs/csv.md fixes the format, so DuckDB has only the names to find; not in parallel, because it might
    # then cut a row at a line end inside a value
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
    """Counts over all live generations. `run`: the newest run's report. `with_data`: the newest report of a
    run that read something. Both are None before the first such run."""

    batches: int
    records_in: int
    rows: int
    quarantined: int
    run: Report | None
    with_data: Report | None = None


def batches(settings: Settings, stream: Stream) -> list[Batch]:
    """Published batches of the live generations, oldest first. Raises DataError for a batch without a
    readable manifest."""
    salida = settings.layout.salida(stream.name)
    if not salida.is_dir():
        return []
    numbered = ((parse_generation(entry.name), entry) for entry in salida.iterdir())
    generations = sorted((number, entry) for number, entry in numbered if number is not None)
    return [
        Batch(folder, manifest.read(folder))
        for _, output in generations
        for folder in manifest.published(output).values()
    ]


def summary(settings: Settings, stream: Stream) -> Summary:
    """One pass over the manifests; no data file is opened."""
    manifests = [b.manifest for b in batches(settings, stream)]
    runs = settings.layout.runs(stream.name)
    newest = next(report.newest(runs), None)
    return Summary(
        batches=len(manifests),
        records_in=sum(m.records_in for m in manifests),
        rows=sum(m.rows_out for m in manifests),
        quarantined=sum(m.quarantined for m in manifests),
        run=report.read(newest) if newest else None,
        with_data=report.newest_with_data(runs),
    )


def newest_rows(settings: Settings, stream: Stream, rows: int) -> list[dict[str, Any]]:
    """The last `rows` rows by batch and file, oldest first, with the sink's order of columns; [] before the
    first batch. Opens only the batches that hold them.

    Raises DataError when a file that a manifest names is gone or damaged.
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
    newest = _query(stream, list(map(str, paths)), rows, max(0, reached - rows)) if paths else []
    names = merged(orders)
    return [{name: row[name] for name in dict.fromkeys((*names, *row)) if name in row} for row in newest]


def columns(settings: Settings, stream: Stream) -> list[str]:
    """Column names of the newest batch whose manifest has them, in the sink's order; [] when none has."""
    newest_first = (b.manifest.columns for b in reversed(batches(settings, stream)))
    return list(next((names for names in newest_first if names), ()))


def merged(orders: Iterable[Sequence[str]]) -> list[str]:
    """All names in one order that keeps each of `orders`. If they contradict each other, in the order of
    their first appearance."""
    chains = list(dict.fromkeys(map(tuple, orders)))
    names = list(dict.fromkeys(name for chain in chains for name in chain))
    sorter = TopologicalSorter[str](dict.fromkeys(names, ()))
    for before, after in (pair for chain in chains for pair in pairwise(chain)):
        sorter.add(after, before)
    try:
        sorter.prepare()
    except CycleError:
        return names
    ordered: list[str] = []
    ready: list[str] = []
    while sorter.is_active():
        # newly ready names first, so that a chain is followed to its end before another one begins
        ready = [*sorter.get_ready(), *ready]
        ordered.append(ready.pop(0))
        sorter.done(ordered[-1])
    return ordered


def _orders(stream: Stream, batch: Manifest, files: Sequence[Path]) -> list[Sequence[str]]:
    """The order of a batch's columns. An older batch has none in its manifest: as JSON, where nulls are left
    out, its first records show it."""
    if batch.columns or not isinstance(stream.sink, Files) or stream.sink.format != "json":
        return [batch.columns]
    orders: dict[tuple[str, ...], None] = {}
    with suppress(OSError, ValueError, TypeError):  # the query for the rows reports what cannot be read
        for file in files:
            with file.open("rb") as lines:
                orders |= dict.fromkeys(tuple(json.loads(line)) for line in islice(lines, _LOOKED_AT))
    return list(orders)


def _query(stream: Stream, paths: list[str], rows: int, skip: int) -> list[dict[str, Any]]:
    import duckdb  # takes up to 0.4 s, and most verbs read no rows

    sink = stream.sink
    assert isinstance(sink, Files), stream.name  # noqa: S101 - only files have part files
    form = [sink.separator, sink.header] if sink.format == "csv" else []
    try:
        with duckdb.connect(":memory:") as database:
            # never load an extension from the network in the middle of a query
            database.execute("SET autoinstall_known_extensions = false")
            cursor = database.execute(
                f"SELECT * FROM {_READERS[sink.format]} LIMIT ? OFFSET ?", [paths, *form, rows, skip]
            )
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except duckdb.Error as error:
        what = f"published files cannot be read: {str(error).splitlines()[0]}"
        raise DataError(what, Path(paths[-1]).parent) from error
