"""Publishes a stream that reads what another stream has published.

Those records are already checked, so the transform is applied to the streaming frame itself and may keep
state. Spark runs it once in each batch. foreachBatch publishes its rows like those of every stream, counted
on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from jobs.contract.commit import durable, upstream
from jobs.contract.commit.batch_plan import BatchPlan
from jobs.contract.commit.manifest import Manifest
from jobs.contract.disk import failpoints, storage
from jobs.contract.disk.layout import MANIFEST
from jobs.contract.errors import BrokenStream, RunFailed
from jobs.contract.run.spec import RunSpec
from jobs.core.read import sources
from jobs.core.read.records import Subject
from jobs.core.write.publish import Counts, Publisher, Transform

_READ = "caudal_read"
_LATE = "numRowsDroppedByWatermark"


def read(spark: SparkSession, spec: RunSpec, subject: Subject, transform: Transform) -> DataFrame:
    """The streaming result of `transform` over what the other stream has published. An observation counts
    what is read."""
    rows = sources.published(spark, spec, subject.schema)
    return transform(rows.observe(_READ, F.count("*").alias("rows")))


@dataclass
class Downstream(Publisher):
    """The foreachBatch callback. `spark`: the session in which the query was started. The callback's own
    session is a copy that does not know the query."""

    spark: SparkSession | None = None
    _synced: dict[str, int] = field(default_factory=dict)

    def _expected_records(self, plan: BatchPlan) -> int:
        return upstream.planned(self.layout, self.spec.stream.upstream, plan.files)

    def _pass_over(self, frame: DataFrame) -> None:
        # The frame is evaluated, too. Otherwise the state would lack this batch for good, and later runs
        # would die.
        frame.write.format("noop").mode("overwrite").save()
        self._keep_state()

    def _write(self, frame: DataFrame, plan: BatchPlan, expected: int) -> Manifest:
        written = Observation()
        self._require_declared()
        files, taken = self._emit(frame.observe(written, F.count("*").alias("rows")), frame, plan)
        failpoints.hit("staged")
        rows = int(self._observed(written, plan.batch)["rows"])
        counts = Counts(lines=self._lines(plan), blank=0, headers=0, quarantined=0, rows_out=rows, notes={})
        self._account(counts, expected, taken, plan)
        self._keep_state()
        done = replace(self._manifest(frame, plan, files, counts, ""), dropped_late=sum(self._metrics(_LATE)))
        storage.write_new(self.staged(plan.batch) / MANIFEST, done.to_json())
        failpoints.hit("manifest")
        return done

    def _keep_state(self) -> None:
        # Before the rename: a published batch is never run again, so a power cut must not take its state.
        durable.make_state_durable(self._checkpoint, self._synced)

    def _lines(self, plan: BatchPlan) -> int:
        """The number of records that Spark read in this batch. Raises RunFailed when Spark did not count
        them."""
        counted = self._execution().observedMetrics().get(_READ)
        if counted.isDefined():
            return int(counted.get().getLong(0))
        if plan.files:
            raise RunFailed(
                f"batch {plan.batch} was written, but Spark did not count what it read",
                self.staged(plan.batch),
            )
        return 0

    def _require_declared(self) -> None:
        """Raises BrokenStream when the transform keeps state but the row does not say so. Such a stream could
        be rewound or rolled over as if it had no state."""
        if not self.spec.stream.stateful and list(self._metrics(_LATE)):
            raise BrokenStream(
                "the transform keeps state, but the row does not say stateful=True", self.spec.stream.name
            )

    def _metrics(self, name: str) -> Iterator[int]:
        """The metric `name` of every operator of this batch's plan that has it."""
        return _walk(self._execution().executedPlan(), name)

    def _execution(self) -> Any:
        """This batch's plan in the JVM, as Spark executes it."""
        assert self.spark is not None  # noqa: S101 - given where the query is started
        (query,) = [q for q in self.spark.streams.active if q.name == self.spec.stream.name]
        return query._jsq.streamingQuery().lastExecution()


def _walk(plan: Any, name: str) -> Iterator[int]:
    metric, children = plan.metrics().get(name), plan.children()
    if metric.isDefined():
        yield int(metric.get().value())
    for at in range(children.size()):
        yield from _walk(children.apply(at), name)
