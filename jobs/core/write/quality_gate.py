"""A row that asks before anything is published: a batch with too many refused records is held until a person
accepts it."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.contract.commit.batch_plan import BatchPlan
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import BatchHeld
from jobs.contract.run import thresholds
from jobs.contract.run.spec import RunSpec
from jobs.contract.stream import Stream, Topic
from jobs.core.read.csv_headers import HeaderLayouts
from jobs.core.read.records import BLANK, HEADER, Subject, is_refused
from jobs.core.write import quarantine


def asks_first(stream: Stream) -> bool:
    """Messages cannot be taken back, so a topic's batch is counted before the first one is sent; staged files
    can wait for the counts."""
    return stream.thresholds.when == "before" and isinstance(stream.sink, Topic)


def count_first(
    classified: DataFrame, subject: Subject, spec: RunSpec, plan: BatchPlan, layouts: HeaderLayouts | None
) -> None:
    """A pass of its own over the batch. Raises BatchHeld; its refused records lie in quarantine then, to be
    looked at."""
    no_record = F.col("_reason").isin(BLANK, HEADER)
    counts = [
        F.count_if(F.coalesce(~no_record, F.lit(True))).alias("records"),
        F.count_if(is_refused()).alias("refused"),
    ]
    (found,) = classified.agg(*counts).collect()
    try:
        require_allowed(spec, plan, found["records"], found["refused"])
    except BatchHeld:
        quarantine.publish(classified, subject, spec, plan.batch, found["refused"], layouts)
        raise


def require_allowed(spec: RunSpec, plan: BatchPlan, records_in: int, refused: int) -> None:
    """Raises BatchHeld for a batch over a fail limit that nobody has accepted."""
    thresholds.require_allowed(
        Layout(Path(spec.home)), spec.stream, spec.generation, plan.batch, plan.identity, records_in, refused
    )
