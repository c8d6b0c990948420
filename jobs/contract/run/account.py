"""Does it add up? What the end of a run recounts of the batches its report covers; history is the business of
`./caudal audit`.

Lines counted at intake or offset ranges = records in = accepted + quarantined; rows out = what the manifests
say = what a plain reader counts.
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
    """Of some batches. `counted`: before Spark: lines at intake, or offsets. `headers`: csv header lines
    among them.

    `gaps`: topic/partition -> offsets that hold no record (compacted, aborted, control). `rows_read`,
    `bytes_read`: by the plain reader; None and 0 for a topic. `unchecked`: what could not be recounted, and
    why. `differences`: a sentence each, naming the batch.
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
    """`done` with the account of its batches; failed by AccountMismatch, by FilePassedOver when Spark has
    left an admitted file out, or by what hindered the recount, unless it had failed before.

    `reported`: newest batch that an earlier report covers. Reads what the later ones hold and nothing older;
    an idle report without batches is given back as it is.
    """
    if done.status == "idle" and not done.batches:
        return done
    start = time.monotonic()
    try:
        found = recount(layout, stream, done.generation, done.batches, parquet_rows)
        passed = _passed_over(done, layout, stream)
        found.differences += _lost(layout, done, reported)
    except CaudalError as error:
        return _failed(done, error)
    except (OSError, ValueError) as error:  # the latter: no parquet file
        return _failed(
            done,
            DataError(
                f"what was published cannot be read again: {error}",
                layout.output(stream.name, done.generation),
            ),
        )
    found.took_s = round(time.monotonic() - start, 3)
    done = replace(done, account=asdict(found))
    if found.differences:
        more = f" (and {len(found.differences) - 1} more)" if len(found.differences) > 1 else ""
        where = layout.output(stream.name, done.generation)
        done = _failed(done, AccountMismatch(f"{found.differences[0]}{more}", where))
    return _failed(done, passed) if passed else done


def _passed_over(done: Report, layout: Layout, stream: Stream) -> FilePassedOver | None:
    """Only a run that has come to its end should have read everything."""
    if done.status != "done":
        return None
    return admitted.passed_over(layout, stream.name, stream.folder, done.generation)


def recount(
    layout: Layout, stream: Stream, generation: int, batches: Sequence[int], parquet_rows: ParquetRows
) -> Account:
    """The account of published batches, ascending, of one generation. Raises DataError, CheckpointDamaged,
    LedgerDamaged, OSError."""
    found = Account(rows_read=0 if isinstance(stream.sink, Files) else None)
    manifests = [manifest.read(layout.batch(stream.name, generation, batch)) for batch in batches]
    if not manifests:
        return found
    for one in manifests:
        found.records_in += one.records_in
        found.quarantined += one.quarantined
        found.rows_out += one.rows_out
        found.differences += _quarantine(layout, one, parquet_rows)
        if isinstance(stream.sink, Files):
            found.differences += _rows(
                layout.batch(stream.name, generation, one.batch), one, stream.sink, parquet_rows, found
            )
    found.accepted = found.records_in - found.quarantined
    if isinstance(stream.source, Files):
        found.differences += _lines(layout, stream, generation, manifests, found)
    elif isinstance(stream.source, Topic):
        for one in manifests:
            found.differences += _offsets(one, found)
    else:
        found.differences += _published(layout, stream, generation, manifests, found)
    if found.rows_read is None:
        found.unchecked.append(
            f"messages on the topic were counted by the sink; ./caudal audit {stream.name} reads them again"
        )
    return found


def failure(done: Report) -> CaudalError | None:
    """What a report failed by, as an error that can be raised; None when it did not."""
    if not done.error:
        return None
    kind = next((kind for kind in tree() if kind.code == done.error["code"]), CaudalError)
    return kind(done.error["what"], done.error["where"], cli=done.error["cli"], ui=done.error["ui"])


def ranges(one: Manifest) -> dict[tuple[str, str], tuple[int, int]]:
    """Offset ranges of a batch of a Kafka source, as BatchPlan.ranges."""
    return BatchPlan(one.query_id, one.batch, dict(one.start), dict(one.end), ()).ranges()


def _failed(done: Report, error: CaudalError) -> Report:
    """An earlier failure stays the reason; then this one is a warning."""
    error.name_stream(done.stream)
    if done.error:
        return replace(done, warnings=(*done.warnings, str(error)))
    return replace(done, status="failed", exit_code=int(error.exit_code), error=error.to_json())


def _lost(layout: Layout, done: Report, reported: int) -> Iterator[str]:
    """Batches that Spark has committed, or that others follow, and whose folder is not there."""
    newest = checkpoint.read(layout.checkpoint(done.stream, done.generation)).newest_commit
    for batch in sorted({*range(reported + 1, max(newest, done.last_batch) + 1)} - {*done.batches}):
        yield (
            f"batch {batch} is committed, but its folder is gone from "
            f"{layout.output(done.stream, done.generation)}"
        )


def _rows(
    folder: Path, one: Manifest, sink: Files, parquet_rows: ParquetRows, found: Account
) -> Iterator[str]:
    rows = 0
    for file in part_files.data_files(folder):
        seen = part_files.measure(file, sink.format, sink.header, parquet_rows, digest=False)
        rows += seen.rows
        found.bytes_read += seen.size_bytes
    found.rows_read = (found.rows_read or 0) + rows
    told = sum(file.records for file in one.files)
    if not rows == told == one.rows_out:
        yield (
            f"batch {one.batch}: {one.rows_out} rows out, {told} in its manifest's files, a plain reader "
            f"counts {rows}"
        )


def _quarantine(layout: Layout, one: Manifest, parquet_rows: ParquetRows) -> Iterator[str]:
    folder = layout.refused_records(one.stream, one.generation, one.batch)
    rows = 0
    if one.quarantined and folder.is_dir():
        rows = sum(
            part_files.measure(file, "json", False, parquet_rows, digest=False).rows
            for file in part_files.data_files(folder)
        )
    if rows != one.quarantined:
        yield f"batch {one.batch}: {one.quarantined} records quarantined, {rows} lie in {folder}"


def _published(
    layout: Layout, stream: Stream, generation: int, manifests: Sequence[Manifest], found: Account
) -> Iterator[str]:
    """Records of the other stream's part files, as its manifests say; what was taken out of sight there
    meanwhile cannot be counted again."""
    first, last = (int(one.get("logOffset", -1)) for one in (manifests[0].start, manifests[-1].end))
    entries = checkpoint.planned_entries(layout.checkpoint(stream.name, generation), first, last)
    try:
        found.counted = upstream.planned(layout, stream.upstream, entries)
    except PlannedFileMissing as error:
        found.unchecked.append(f"what was read of {stream.upstream}: {error.what}")
        return
    found.files = len(entries)
    if found.counted != found.records_in:
        yield (
            f"{found.counted} records were published by {stream.upstream} in what was read, "
            f"{found.records_in} were counted by Spark"
        )


def _lines(
    layout: Layout, stream: Stream, generation: int, manifests: Sequence[Manifest], found: Account
) -> Iterator[str]:
    """Lines counted at intake, of the files that the source log puts into each batch."""
    positions = [
        (int(one.start.get("logOffset", -1)), int(one.end.get("logOffset", -1))) for one in manifests
    ]
    logged = checkpoint.planned_entries(
        layout.checkpoint(stream.name, generation), positions[0][0], positions[-1][1]
    )
    names: dict[int, list[str]] = {}
    for entry in logged:
        names.setdefault(entry.log_offset, []).append(entry.name)
    entries = ledger.lookup(layout.ledger(stream.folder), [entry.name for entry in logged])
    for one, (after, through) in zip(manifests, positions, strict=True):
        here = [name for number in range(after + 1, through + 1) for name in names.get(number, ())]
        if strange := [name for name in here if name not in entries]:
            yield f"batch {one.batch}: the intake ledger does not know {strange[0]}"
        counted = sum(entries[name].records for name in here if name in entries)
        found.files += len(here)
        found.counted += counted
        found.headers += max(0, one.headers)
        if one.headers < 0:
            found.unchecked.append(f"batch {one.batch}: its manifest is older than the count of header lines")
        elif counted != one.records_in + one.headers:
            what = f"{one.records_in} records in" + (
                f" and {one.headers} header lines" if one.headers else ""
            )
            yield f"batch {one.batch}: {counted} lines were counted at intake, its manifest has {what}"


def _offsets(one: Manifest, found: Account) -> Iterator[str]:
    """Records of each partition against its offset range; fewer is Kafka's own doing, more cannot be."""
    widths = {
        f"{topic}/{partition}": max(0, until - start)
        for (topic, partition), (start, until) in ranges(one).items()
    }
    found.counted += sum(widths.values())
    if not one.partitions and one.records_in:
        found.unchecked.append(f"batch {one.batch}: records were not counted by partition")
        if one.records_in > sum(widths.values()):
            yield (
                f"batch {one.batch}: {one.records_in} records in, its ranges hold {sum(widths.values())} "
                "offsets"
            )
        return
    if (total := sum(one.partitions.values())) != one.records_in:
        yield f"batch {one.batch}: {one.records_in} records in, {total} by partition"
    for name in sorted({*widths, *one.partitions}):
        gap = widths.get(name, 0) - one.partitions.get(name, 0)
        if gap < 0:
            yield (
                f"batch {one.batch}: {one.partitions[name]} records of {name}, its range holds "
                f"{widths.get(name, 0)} offsets"
            )
        elif gap:
            found.gaps[name] = found.gaps.get(name, 0) + gap
