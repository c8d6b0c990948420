"""What a stream has published: counts from the manifests, the newest rows from the files of its live generations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.settings import Settings
from jobs.contract import manifest, report
from jobs.contract.errors import DataError
from jobs.contract.layout import parse_generation
from jobs.contract.manifest import Manifest
from jobs.contract.report import Report
from jobs.contract.stream import Files, Stream

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
    """Counts over all live generations; `run` is the newest run's report, None before the first."""

    batches: int
    records_in: int
    rows: int
    quarantined: int
    run: Report | None


def batches(settings: Settings, stream: Stream) -> list[Batch]:
    """Published batches of the live generations, oldest first. Raises DataError for a batch without a readable manifest."""
    salida = settings.layout.salida(stream.name)
    if not salida.is_dir():
        return []
    generations = sorted((n, entry) for entry in salida.iterdir() if (n := parse_generation(entry.name)) is not None)
    return [Batch(folder, manifest.read(folder)) for _, output in generations for folder in manifest.published(output).values()]


def summary(settings: Settings, stream: Stream) -> Summary:
    """One pass over the manifests, no data file is opened."""
    found = [b.manifest for b in batches(settings, stream)]
    newest = next(report.newest(settings.layout.runs(stream.name)), None)
    run = report.read(newest) if newest else None
    return Summary(len(found), sum(m.records_in for m in found), sum(m.rows_out for m in found), sum(m.quarantined for m in found), run)


def newest_rows(settings: Settings, stream: Stream, rows: int) -> list[dict[str, Any]]:
    """The last `rows` rows by batch and file, oldest first; [] before the first batch. Opens only the batches that hold them.

    Raises DataError when a file named by a manifest is gone or not what it should be.
    """
    paths: list[str] = []
    reached = 0
    for batch in reversed(batches(settings, stream)):
        if reached >= rows:
            break
        paths = [str(batch.folder / f.name) for f in batch.manifest.files if f.records] + paths
        reached += batch.manifest.rows_out
    return _query(stream, paths, rows, max(0, reached - rows)) if paths else []


def _query(stream: Stream, paths: list[str], rows: int, skip: int) -> list[dict[str, Any]]:
    import duckdb

    sink = stream.sink
    assert isinstance(sink, Files), stream.name  # noqa: S101 - only files have part files
    form = [sink.separator, sink.header] if sink.format == "csv" else []
    try:
        with duckdb.connect(":memory:") as database:
            database.execute("SET autoinstall_known_extensions = false")
            cursor = database.execute(f"SELECT * FROM {_READERS[sink.format]} LIMIT ? OFFSET ?", [paths, *form, rows, skip])  # noqa: S608 - our own words
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except duckdb.Error as error:
        raise DataError(f"published files cannot be read: {str(error).splitlines()[0]}", Path(paths[-1]).parent) from error
