"""The column with the source position of a row. A transform for an exactly-once topic must pass it on
unchanged."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# struct of where (text), partition, offset, task: jobs.core adds it before the transform and reads it
# afterwards
POSITION = "_position"


def kept(frame: DataFrame) -> list[Column]:
    """The position column, for the end of a select: `rows.select("A", "B", *kept(rows))`. Empty if the frame
    has none."""
    return [F.col(POSITION)] if POSITION in frame.columns else []
