"""Publishes one micro-batch exactly once, from Spark's plan to a folder in salida.

1. Read the batch's plan, and make the checkpoint durable: Spark syncs nothing, and the output must not
   outlive its plan.
2. Check that the inputs are as planned, and look whether the batch is already published.
3. Stage the rows, count them, and publish the refused records.
4. Write the manifest, and rename the folder. This rename is the commit point of the output.

docs/architecture.md has the order of commit points. Do not change it without a decision.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from jobs.contract.commit import batch_plan, checkpoint, manifest, mtime_order, protocol
from jobs.contract.commit.batch_plan import BatchPlan
from jobs.contract.commit.durable import make_durable
from jobs.contract.commit.manifest import Manifest, Note, OutputFile
from jobs.contract.deadline import until
from jobs.contract.disk import failpoints, ledger, storage
from jobs.contract.disk.layout import MANIFEST, Layout
from jobs.contract.errors import AccountMismatch, BatchConflict, DataError, PlannedFileMissing, RunFailed
from jobs.contract.run.spec import RunSpec
from jobs.contract.stream import Files, Topic
from jobs.core.read import csv_headers, sources
from jobs.core.read.records import BLANK, HEADER, Subject, business, classify, is_refused, notes
from jobs.core.read.source_topic import SourceTopic
from jobs.core.write import quality_gate, quarantine, sinks
from jobs.domain.positions import POSITION

if TYPE_CHECKING:
    from jobs.core.kafka_sink.driver import KafkaSinkDriver

Transform = Callable[[DataFrame], DataFrame]
_PARTITIONS = (
    64  # counted one by one up to this number; each adds a comparison of a short prefix to every record
)
_METRICS_WAIT_S = 30.0  # they come on Spark's listener thread, usually within milliseconds of the action


@dataclass(frozen=True)
class Counts:
    """Counts of one batch. `lines` = blank + headers + accepted + quarantined."""

    lines: int
    blank: int
    headers: int
    quarantined: int
    rows_out: int
    notes: Mapping[str, Note]
    partitions: Mapping[str, int] = field(default_factory=dict)

    @property
    def records_in(self) -> int:
        return self.lines - self.blank - self.headers


@dataclass
class Publisher:
    """The foreachBatch callback of one run. `failure`: the first error that was raised. Spark passes on only
    its text, so it is kept here."""

    spec: RunSpec
    subject: Subject
    transform: Transform
    failure: Exception | None = None
    source_topic: SourceTopic = field(init=False)
    _planned: int = field(init=False)  # newest batch that was planned before this run

    def __post_init__(self) -> None:
        self.source_topic = SourceTopic(self.spec)
        self._planned = checkpoint.read(self._checkpoint).newest_offset

    @cached_property
    def kafka_sink(self) -> KafkaSinkDriver:
        """The exactly-once sink. Its imports (numpy, Arrow, Kafka's client) take a tenth of a second, which a
        stream to files does not spend."""
        from jobs.core.kafka_sink.driver import KafkaSinkDriver

        return KafkaSinkDriver(self.spec, self._planned)

    def __call__(self, frame: DataFrame, batch: int) -> None:
        try:
            with storage.disk_errors(self.staged(batch)):
                self.publish(frame, batch)
        except Exception as error:
            self.failure = self.failure or error
            raise

    @property
    def layout(self) -> Layout:
        return Layout(Path(self.spec.home))

    def staged(self, batch: int) -> Path:
        return self.layout.staged_batch(self.spec.stream.name, self.spec.generation, batch, self.spec.run_id)

    def target(self, batch: int) -> Path:
        return self.layout.batch(self.spec.stream.name, self.spec.generation, batch)

    def publish(self, frame: DataFrame, batch: int) -> None:
        """Publishes one batch, or skips it if it is published. Raises DataError, BatchConflict or
        AccountMismatch; then nothing of this batch is visible."""
        start = time.monotonic()
        plan = self._plan(batch)
        make_durable(
            self._checkpoint, batch, checkpoint.planned_log_files(self._checkpoint, plan.start, plan.end)
        )
        failpoints.hit("planned")
        # Before anything is written: a planned file that is gone must stop the run, since Spark would commit
        # without it.
        expected = self._expected_records(plan)
        if self._stands_already(plan):
            self._pass_over(frame)
            print(f"batch {batch}: already published by an earlier run, nothing written", flush=True)
            return
        done = self._write(frame, plan, expected)
        storage.make_dirs(self.target(batch).parent)
        storage.rename_dir_new(self.staged(batch), self.target(batch))
        failpoints.hit("published")
        took = time.monotonic() - start
        print(
            f"batch {batch}: {done.records_in} records in, {done.rows_out} rows out, {done.quarantined} "
            f"quarantined, {took:.2f} s",
            flush=True,
        )

    @property
    def _checkpoint(self) -> Path:
        return self.layout.checkpoint(self.spec.stream.name, self.spec.generation)

    def _plan(self, batch: int) -> BatchPlan:
        query_id = checkpoint.read(self._checkpoint).query_id
        if query_id is None:
            raise DataError("the checkpoint lost its metadata file while running", self._checkpoint)
        return batch_plan.read(self._checkpoint, batch, query_id)

    def _expected_records(self, plan: BatchPlan) -> int:
        """The independent count: lines counted at intake, or the width of the offset ranges."""
        if isinstance(self.spec.stream.source, Topic):
            return sum(max(0, until - start) for start, until in plan.ranges().values())
        folder = self.layout.en_proceso(self.spec.stream.folder)
        entries = ledger.lookup(self.layout.ledger(self.spec.stream.folder), [f.name for f in plan.files])
        for planned in plan.files:
            check_planned_file(folder / planned.name, entries.get(planned.name))
        return sum(entry.records for entry in entries.values())

    def _stands_already(self, plan: BatchPlan) -> bool:
        target = self.target(plan.batch)
        present = manifest.read(target).identity if target.exists() else None
        verdict = protocol.publish(plan.identity, present)
        if isinstance(verdict, protocol.Refuse):
            raise BatchConflict(verdict.why, target)
        return verdict is protocol.Publish.SKIP

    def _pass_over(self, frame: DataFrame) -> None:
        """Handles a batch that is already published. Without state there is nothing to do."""

    def _write(self, frame: DataFrame, plan: BatchPlan, expected: int) -> Manifest:
        """Stages the whole batch with its manifest. After this, only the rename is left."""
        seen, written = Observation(), Observation()
        layouts = self._layouts(plan)
        classified = classify(frame, self.subject, self.spec.stream, layouts)
        metrics = [*_metrics(notes(self.subject, self.spec.stream)), *_by_partition(plan)]
        accepted = business(classified.observe(seen, *metrics), self.subject, *sources.position(self.spec))
        rows = self.transform(accepted).observe(written, F.count("*").alias("rows"))
        # The gate counts in a pass of its own, because the observed frame may have only one action.
        if quality_gate.asks_first(self.spec.stream):
            quality_gate.count_first(classified, self.subject, self.spec, plan, layouts)
        files, taken = self._emit(rows, frame, plan)
        failpoints.hit("staged")
        counts = self._counts(self._observed(seen, plan.batch), self._observed(written, plan.batch), plan)
        self._account(counts, expected, taken, plan)
        digest = ""
        if counts.quarantined:
            digest = quarantine.publish(
                classified, self.subject, self.spec, plan.batch, counts.quarantined, layouts
            )
            failpoints.hit("quarantined")
            quality_gate.require_allowed(self.spec, plan, counts.records_in, counts.quarantined)
        done = self._manifest(rows, plan, files, counts, digest)
        storage.write_new(self.staged(plan.batch) / MANIFEST, done.to_json())
        failpoints.hit("manifest")
        return done

    def _observed(self, observation: Observation, batch: int) -> dict[str, int]:
        """The metrics of a finished action. Raises RunFailed when Spark has lost them: `get` alone would wait
        for ever."""
        if not until(observation._jo.future().isCompleted, _METRICS_WAIT_S, 0.005):
            what = f"batch {batch} was written, but Spark did not count it within {_METRICS_WAIT_S:.0f} s"
            raise RunFailed(what, self.staged(batch))
        return dict(observation.get)

    def _counts(self, seen: dict[str, Any], written: dict[str, Any], plan: BatchPlan) -> Counts:
        plain = {name: int(seen[name]) for name in ("lines", "blank", "headers", "quarantined")}
        codes = notes(self.subject, self.spec.stream)
        reported = {
            code: Note(int(seen[f"note{i}"]), str(seen[f"example{i}"]))
            for i, code in enumerate(codes)
            if seen[f"note{i}"]
        }
        partitions = {name: int(seen[f"partition{i}"]) for i, name in enumerate(_counted_partitions(plan))}
        return Counts(**plain, rows_out=int(written["rows"]), notes=reported, partitions=partitions)

    def _layouts(self, plan: BatchPlan) -> csv_headers.HeaderLayouts | None:
        """The header layouts of a csv batch's files; None for every other source."""
        source = self.spec.stream.source
        if not isinstance(source, Files) or source.format != "csv" or not source.header:
            return None
        folder = self.layout.en_proceso(self.spec.stream.folder)
        return csv_headers.read([folder / f.name for f in plan.files], self.subject.schema.names, source)

    def _emit(
        self, rows: DataFrame, frame: DataFrame, plan: BatchPlan
    ) -> tuple[tuple[OutputFile, ...], int | None]:
        """Writes or sends the rows. Returns the files, and the number of rows that the sink counted (None:
        unknown).

        This must be the first and only action on the observed frame: an Observation reports only its first
        action.
        """
        sink, staged = self.spec.stream.sink, self.staged(plan.batch)
        storage.make_dirs(staged.parent)
        if isinstance(sink, Files):
            sinks.write_files(rows, sink, staged)
            # After Spark has read the batch, so that a topic replaced during the read is noticed.
            self.source_topic.require_same()
            mtime_order.keep_ascending(staged, self.target(plan.batch))
            files = sinks.seal(staged, sink.format, sink.header)
            return files, sum(f.records for f in files)
        self.source_topic.require_same()  # before sending, because messages cannot be taken back
        taken = None
        if self.spec.stream.transactional:
            taken = self.kafka_sink.send(rows, frame, plan)
        else:
            sinks.send(rows, sink, sources.kafka_options(self.spec))
        storage.make_dirs(staged)
        return (), taken

    def _account(self, counts: Counts, expected: int, taken: int | None, plan: BatchPlan) -> None:
        if taken is not None and taken != counts.rows_out:
            raise AccountMismatch(
                f"Spark made {counts.rows_out} rows, but the sink counts {taken}", self.staged(plan.batch)
            )
        counted = counts.records_in + counts.headers
        gap = expected - counted
        if isinstance(self.spec.stream.source, Topic) and (gap > 0 or plan.new_partitions):
            # Kafka itself leaves offsets without a record, and the start of a new partition is unknown.
            print(
                f"batch {plan.batch}: {gap} offsets hold no record (compacted, aborted or control records)",
                flush=True,
            )
        elif gap:
            raise AccountMismatch(
                f"{expected} records were counted before Spark, {counted} by Spark", self.target(plan.batch)
            )

    def _manifest(
        self,
        rows: DataFrame,
        plan: BatchPlan,
        files: tuple[OutputFile, ...],
        counts: Counts,
        quarantine_digest: str,
    ) -> Manifest:
        return Manifest(
            stream=self.spec.stream.name,
            query_id=plan.query_id,
            generation=self.spec.generation,
            batch=plan.batch,
            input_digest=plan.input_digest,
            start=plan.start,
            end=plan.end,
            files=files,
            records_in=counts.records_in,
            rows_out=counts.rows_out,
            quarantined=counts.quarantined,
            quarantine_digest=quarantine_digest,
            notes=counts.notes,
            headers=counts.headers,
            partitions=counts.partitions,
            columns=tuple(name for name in rows.columns if name != POSITION),
            run_id=self.spec.run_id,
        )


def _counted_partitions(plan: BatchPlan) -> list[str]:
    """topic/partition of each range that is not empty; none if there are more than _PARTITIONS, and then the
    records are counted only as a whole."""
    names = sorted(
        f"{topic}/{partition}"
        for (topic, partition), (start, until) in plan.ranges().items()
        if start < until
    )
    return names if len(names) <= _PARTITIONS else []


def _by_partition(plan: BatchPlan) -> list[Column]:
    return [
        F.count_if(F.col("_origin").startswith(f"{name}/")).alias(f"partition{i}")
        for i, name in enumerate(_counted_partitions(plan))
    ]


def _metrics(codes: Sequence[str]) -> list[Column]:
    """The counts that Spark makes of classified records. `codes`: from `notes`; each is counted, and the
    first origin in alphabetical order is its example, so that a batch that is done again has the same
    manifest."""
    reason = F.col("_reason")
    has = [F.col("_notes").bitwiseAND(1 << bit) != 0 for bit, _ in enumerate(codes)]
    return [
        F.count("*").alias("lines"),
        F.count_if(reason.eqNullSafe(BLANK)).alias("blank"),
        F.count_if(reason.eqNullSafe(HEADER)).alias("headers"),
        F.count_if(is_refused()).alias("quarantined"),
        *(F.count_if(one).alias(f"note{i}") for i, one in enumerate(has)),
        *(F.min(F.when(one, F.col("_origin"))).alias(f"example{i}") for i, one in enumerate(has)),
    ]


def check_planned_file(file: Path, entry: ledger.Entry | None) -> None:
    """Raises PlannedFileMissing for a file that is gone or differs from intake. Spark would commit the batch
    without its rows."""
    if entry is None:
        raise PlannedFileMissing("planned, but the intake ledger does not know it", file)
    try:
        size = file.lstat().st_size
    except FileNotFoundError as error:
        raise PlannedFileMissing("planned, but the file is gone", file) from error
    if size != entry.size_bytes:
        raise PlannedFileMissing(f"{size} bytes now, {entry.size_bytes} at intake", file)
