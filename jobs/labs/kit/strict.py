"""Strict reading for labs: the code of Caudal's streams, on the same files that plain Spark reads beside
it."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.contract.stream import Stream
from jobs.core.read import records
from jobs.core.read.records import Subject


def classified(lines: DataFrame, subject: Subject, stream: Stream) -> DataFrame:
    """A column value (text) -> the columns of records.classify; every line counts as admitted now."""
    raw = lines.select(
        F.col("value").cast("binary").alias("_raw"),
        F.lit("lab").alias("_origin"),
        F.current_timestamp().alias("_admitted"),
    )
    return records.classify(raw, subject, stream)


def refused(lines: DataFrame, subject: Subject, stream: Stream) -> dict[str, int]:
    """Reason -> how many lines of a batch frame would go to quarantine."""
    refusals = classified(lines, subject, stream).where(records.is_refused())
    return {row["_reason"]: row["count"] for row in refusals.groupBy("_reason").count().collect()}
