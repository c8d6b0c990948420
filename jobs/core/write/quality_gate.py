"""The quality gate of rows with `when="before"`: a batch with too many refused records is held until a person
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
    """Whether a batch must be counted before it is written. Sent messages cannot be taken back; staged files
    can still be dropped after they are counted."""
    return stream.thresholds.when == "before" and isinstance(stream.sink, Topic)


def count_first(
    classified: DataFrame, subject: Subject, spec: RunSpec, plan: BatchPlan, layouts: HeaderLayouts | None
) -> None:
    """Counts the batch in an extra pass over it. Raises BatchHeld; then the refused records are in
    quarantine, so that somebody can look at them."""
    no_record = F.col("_reason").isin(BLANK, HEADER)
    counts = [
        F.count_if(F.coalesce(~no_record, F.lit(True))).alias("records"),
        F.count_if(is_refused()).alias("refused"),
    ]
    (counted,) = classified.agg(*counts).collect()
    try:
        require_allowed(spec, plan, counted["records"], counted["refused"])
    except BatchHeld:
        quarantine.publish(classified, subject, spec, plan.batch, counted["refused"], layouts)
        raise


def require_allowed(spec: RunSpec, plan: BatchPlan, records_in: int, refused: int) -> None:
    """Raises BatchHeld for a batch over a fail limit that nobody has accepted."""
    thresholds.require_allowed(
        Layout(Path(spec.home)), spec.stream, spec.generation, plan.batch, plan.identity, records_in, refused
    )
