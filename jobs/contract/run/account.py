"""Recounts, at the end of a run, the batches that its report covers. `./caudal audit` recounts older ones.

These must be equal: the lines counted at intake, or the widths of the offset ranges; records in; accepted +
quarantined. And these: rows out; the records of the files in the manifests; the rows that a plain reader
counts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from jobs.contract.commit import checkpoint, manifest, upstream
from jobs.contract.commit.batch_plan import BatchPlan
from jobs.contract.commit.manifest import Manifest
from jobs.contract.disk import ledger
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import (
    AccountMismatch,
    CaudalError,
    DataError,
    FilePassedOver,
    PlannedFileMissing,
    tree,
)
from jobs.contract.run import admitted, part_files
from jobs.contract.run.part_files import ParquetRows
from jobs.contract.run.report import Report
from jobs.contract.stream import Files, Stream, Topic


@dataclass
class Account:
    """The account of some batches. `counted`: what was counted before Spark, as lines at intake or offsets.
    `headers`: the csv header lines among them.

    `gaps`: topic/partition -> offsets without a record (compacted, aborted or control records). `rows_read`,
    `bytes_read`: counted by the plain reader; None and 0 for a topic. `unchecked`: what could not be
    recounted, and why. `differences`: one sentence each, with the batch.
    """

    files: int = 0
    counted: int = 0
    headers: int = 0
    gaps: dict[str, int] = field(default_factory=dict)
    records_in: int = 0
    accepted: int = 0
    quarantined: int = 0
    rows_out: int = 0
    rows_read: int | None = None
    bytes_read: int = 0
    unchecked: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    took_s: float = 0.0


def settle(done: Report, layout: Layout, stream: Stream, reported: int, parquet_rows: ParquetRows) -> Report:
    """`done` with the account of its batches.

    A run that has not failed before fails now with AccountMismatch, with FilePassedOver when Spark has left
    out an admitted file, or with the error that prevented the recount. `reported`: newest batch that an
    earlier report covers; only later ones are read. An idle report without batches is returned unchanged.
    """
    if done.status == "idle" and not done.batches:
        return done
    start = time.monotonic()
    try:
        total = recount(layout, stream, done.generation, done.batches, parquet_rows)
        passed = _passed_over(done, layout, stream)
        total.differences += _lost(layout, done, reported)
    except CaudalError as error:
        return _failed(done, error)
    except (OSError, ValueError) as error:  # ValueError: not a parquet file
        where = layout.output(stream.name, done.generation)
        return _failed(done, DataError(f"what was published cannot be read again: {error}", where))
    # First the mismatch, then the file: the first error is the failure of the run, and later ones are
    # warnings.
    total.took_s = round(time.monotonic() - start, 3)
    done = replace(done, account=asdict(total))
    if total.differences:
        more = f" (and {len(total.differences) - 1} more)" if len(total.differences) > 1 else ""
        where = layout.output(stream.name, done.generation)
        done = _failed(done, AccountMismatch(f"{total.differences[0]}{more}", where))
    return _failed(done, passed) if passed else done


def _passed_over(done: Report, layout: Layout, stream: Stream) -> FilePassedOver | None:
    if done.status != "done":  # a failed run need not have read everything
        return None
    return admitted.passed_over(layout, stream.name, stream.folder, done.generation)


def recount(
    layout: Layout, stream: Stream, generation: int, batches: Sequence[int], parquet_rows: ParquetRows
) -> Account:
    """The account of published `batches` (ascending) of one generation. Raises DataError, CheckpointDamaged,
    LedgerDamaged or OSError."""
    total = Account(rows_read=0 if isinstance(stream.sink, Files) else None)
    manifests = [manifest.read(layout.batch(stream.name, generation, batch)) for batch in batches]
    if not manifests:
        return total
    for batch in manifests:
        total.records_in += batch.records_in
        total.quarantined += batch.quarantined
        total.rows_out += batch.rows_out
        total.differences += _quarantine(layout, batch, parquet_rows)
        if isinstance(stream.sink, Files):
            folder = layout.batch(stream.name, generation, batch.batch)
            total.differences += _rows(folder, batch, stream.sink, parquet_rows, total)
    total.accepted = total.records_in - total.quarantined
    if isinstance(stream.source, Files):
        total.differences += _lines(layout, stream, generation, manifests, total)
    elif isinstance(stream.source, Topic):
        for batch in manifests:
            total.differences += _offsets(batch, total)
    else:
        total.differences += _published(layout, stream, generation, manifests, total)
    if total.rows_read is None:
        total.unchecked.append(
            f"messages on the topic were counted by the sink; ./caudal audit {stream.name} reads them again"
        )
    return total


def failure(done: Report) -> CaudalError | None:
    """The error in a report, as an exception that can be raised; None when the run did not fail."""
    if not done.error:
        return None
    kind = next((kind for kind in tree() if kind.code == done.error["code"]), CaudalError)
    return kind(done.error["what"], done.error["where"], cli=done.error["cli"], ui=done.error["ui"])


def ranges(batch: Manifest) -> dict[tuple[str, str], tuple[int, int]]:
    """Offset ranges of a batch of a Kafka source, as BatchPlan.ranges."""
    return BatchPlan(batch.query_id, batch.batch, dict(batch.start), dict(batch.end), ()).ranges()


def _failed(done: Report, error: CaudalError) -> Report:
    """The report of a run that failed with `error`. If the run has failed before, `error` becomes a
    warning."""
    error.name_stream(done.stream)
    if done.error:
        return replace(done, warnings=(*done.warnings, str(error)))
    return replace(done, status="failed", exit_code=int(error.exit_code), error=error.to_json())


def _lost(layout: Layout, done: Report, reported: int) -> Iterator[str]:
    """A sentence for each batch without a folder that Spark has committed or that has a successor."""
    newest = checkpoint.read(layout.checkpoint(done.stream, done.generation)).newest_commit
    for batch in sorted({*range(reported + 1, max(newest, done.last_batch) + 1)} - {*done.batches}):
        yield (
            f"batch {batch} is committed, but its folder is gone from "
            f"{layout.output(done.stream, done.generation)}"
        )


def _rows(
    folder: Path, batch: Manifest, sink: Files, parquet_rows: ParquetRows, total: Account
) -> Iterator[str]:
    rows = 0
    for file in part_files.data_files(folder):
        measured = part_files.measure(file, sink.format, sink.header, parquet_rows, digest=False)
        rows += measured.rows
        total.bytes_read += measured.size_bytes
    total.rows_read = (total.rows_read or 0) + rows
    in_files = sum(file.records for file in batch.files)
    if not rows == in_files == batch.rows_out:
        yield (
            f"batch {batch.batch}: {batch.rows_out} rows out, {in_files} in its manifest's files, a plain "
            f"reader counts {rows}"
        )


def _quarantine(layout: Layout, batch: Manifest, parquet_rows: ParquetRows) -> Iterator[str]:
    folder = layout.refused_records(batch.stream, batch.generation, batch.batch)
    rows = 0
    if batch.quarantined and folder.is_dir():
        rows = sum(
            part_files.measure(file, "json", False, parquet_rows, digest=False).rows
            for file in part_files.data_files(folder)
        )
    if rows != batch.quarantined:
        yield f"batch {batch.batch}: {batch.quarantined} records quarantined, {rows} lie in {folder}"


def _published(
    layout: Layout, stream: Stream, generation: int, manifests: Sequence[Manifest], total: Account
) -> Iterator[str]:
    """Compares with the records of the other stream's part files, according to its manifests. What was
    retired there meanwhile cannot be counted again."""
    first, last = (int(position.get("logOffset", -1)) for position in (manifests[0].start, manifests[-1].end))
    entries = checkpoint.planned_entries(layout.checkpoint(stream.name, generation), first, last)
    try:
        total.counted = upstream.planned(layout, stream.upstream, entries)
    except PlannedFileMissing as error:
        total.unchecked.append(f"what was read of {stream.upstream}: {error.what}")
        return
    total.files = len(entries)
    if total.counted != total.records_in:
        yield (
            f"the files that were read have {total.counted} records according to {stream.upstream}, but "
            f"Spark counted {total.records_in}"
        )


def _lines(
    layout: Layout, stream: Stream, generation: int, manifests: Sequence[Manifest], total: Account
) -> Iterator[str]:
    """Compares with the lines counted at intake, for the files that the source log puts into each batch."""
    positions = [
        (int(batch.start.get("logOffset", -1)), int(batch.end.get("logOffset", -1))) for batch in manifests
    ]
    logged = checkpoint.planned_entries(
        layout.checkpoint(stream.name, generation), positions[0][0], positions[-1][1]
    )
    names: dict[int, list[str]] = {}
    for entry in logged:
        names.setdefault(entry.log_offset, []).append(entry.name)
    entries = ledger.lookup(layout.ledger(stream.folder), [entry.name for entry in logged])
    for batch, (after, through) in zip(manifests, positions, strict=True):
        planned = [name for number in range(after + 1, through + 1) for name in names.get(number, ())]
        if unknown := [name for name in planned if name not in entries]:
            yield f"batch {batch.batch}: the intake ledger does not know {unknown[0]}"
        counted = sum(entries[name].records for name in planned if name in entries)
        total.files += len(planned)
        total.counted += counted
        total.headers += max(0, batch.headers)
        if batch.headers < 0:
            total.unchecked.append(
                f"batch {batch.batch}: its manifest is older than the count of header lines"
            )
        elif counted != batch.records_in + batch.headers:
            headers = f" and {batch.headers} header lines" if batch.headers else ""
            what = f"its manifest has {batch.records_in} records in{headers}"
            yield f"batch {batch.batch}: {counted} lines were counted at intake, {what}"


def _offsets(batch: Manifest, total: Account) -> Iterator[str]:
    """Compares the records of each partition with its offset range. Kafka itself may leave offsets without a
    record, but a range cannot have more records than offsets."""
    widths = {
        f"{topic}/{partition}": max(0, until - start)
        for (topic, partition), (start, until) in ranges(batch).items()
    }
    offsets = sum(widths.values())
    total.counted += offsets
    if not batch.partitions and batch.records_in:
        total.unchecked.append(f"batch {batch.batch}: records were not counted by partition")
        if batch.records_in > offsets:
            yield f"batch {batch.batch}: {batch.records_in} records in, its ranges hold {offsets} offsets"
        return
    if (records := sum(batch.partitions.values())) != batch.records_in:
        yield f"batch {batch.batch}: {batch.records_in} records in, {records} by partition"
    for name in sorted({*widths, *batch.partitions}):
        width, records = widths.get(name, 0), batch.partitions.get(name, 0)
        if records > width:
            yield f"batch {batch.batch}: {records} records of {name}, its range holds {width} offsets"
        elif records < width:  # compacted, aborted and control records leave such gaps
            total.gaps[name] = total.gaps.get(name, 0) + width - records
