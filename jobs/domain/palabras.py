"""Words of a text, counted (course: Caso 1)."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def contadas(lineas: DataFrame) -> DataFrame:
    """value (text) -> palabra, count: words are what blanks part; capitals and accents tell words apart, as
    in the course."""
    words = F.explode(F.split(F.trim("value"), r"\s+")).alias("palabra")
    return lineas.select(words).where("palabra <> ''").groupBy("palabra").count()
