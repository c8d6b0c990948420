"""A stream that reads what another one has published: its records are strict already, so the transform is
applied to the streaming frame itself and may keep state. Spark runs it once in each batch; foreachBatch
publishes its rows as every stream's, counted on both sides.
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
    """The streaming result of `transform` over what the other stream has published; what it reads is counted
    as it is read."""
    rows = sources.published(spark, spec, subject.schema)
    return transform(rows.observe(_READ, F.count("*").alias("rows")))


@dataclass
class Downstream(Publisher):
    """The foreachBatch callback. `spark`: the session that the query was started in; the callback's own is a
    copy that does not know it."""

    spark: SparkSession | None = None
    _synced: dict[str, int] = field(default_factory=dict)

    def _expected_records(self, plan: BatchPlan) -> int:
        return upstream.planned(self.layout, self.spec.stream.upstream, plan.files)

    def _pass_over(self, frame: DataFrame) -> None:
        """Evaluated all the same: what this batch does to the state would be missing for good."""
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
        """Before the rename: a published batch is never run again, so its state must outlive a power cut as
        it does."""
        durable.make_state_durable(self._checkpoint, self._synced)

    def _lines(self, plan: BatchPlan) -> int:
        """What Spark read in this batch. Raises RunFailed where it does not tell."""
        found = self._execution().observedMetrics().get(_READ)
        if found.isDefined():
            return int(found.get().getLong(0))
        if plan.files:
            raise RunFailed(
                f"batch {plan.batch} was written, but Spark did not count what it read",
                self.staged(plan.batch),
            )
        return 0

    def _require_declared(self) -> None:
        """A row that says nothing of state could be rewound or rolled over as if there were none. Raises
        BrokenStream."""
        if not self.spec.stream.stateful and list(self._metrics(_LATE)):
            raise BrokenStream(
                "the transform keeps state, and the row does not say stateful=True", self.spec.stream.name
            )

    def _metrics(self, name: str) -> Iterator[int]:
        """A metric of every operator of this batch's plan that has it: the operators with state, of those
        that Spark keeps for them."""
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
