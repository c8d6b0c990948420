"""What strict reading makes of a lab's lines: the code of Caudal's streams, on the files that plain Spark reads beside it."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.contract.stream import Stream
from jobs.core.read import records
from jobs.core.read.records import Subject


def classified(lines: DataFrame, subject: Subject, stream: Stream) -> DataFrame:
    """value (text) -> as records.classify; every line counts as admitted now."""
    raw = lines.select(
        F.col("value").cast("binary").alias("_raw"),
        F.lit("lab").alias("_origin"),
        F.current_timestamp().alias("_admitted"),
    )
    return records.classify(raw, subject, stream)


def refused(lines: DataFrame, subject: Subject, stream: Stream) -> dict[str, int]:
    """Reason -> how many lines of a batch frame would go to quarantine."""
    found = (
        classified(lines, subject, stream).where(records.is_refused()).groupBy("_reason").count().collect()
    )
    return {row["_reason"]: row["count"] for row in found}
