"""The source position that a row carries on its way to an exactly-once topic: a transform passes it on, as it
is."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# struct of where (text), partition, offset, task: made by jobs.core, read by it again behind the transform
POSITION = "_position"


def kept(frame: DataFrame) -> list[Column]:
    """The position column, for the end of a select; nothing where the frame carries none: `rows.select("A",
    "B", *kept(rows))`."""
    return [F.col(POSITION)] if POSITION in frame.columns else []
