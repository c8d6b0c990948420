"""Counts the words of a text (course: Caso 1)."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def contadas(lineas: DataFrame) -> DataFrame:
    """value (text) -> palabra, count. Words are separated by blanks. Words that differ in case or accents are
    different, as in the course."""
    words = F.explode(F.split(F.trim("value"), r"\s+")).alias("palabra")
    return lineas.select(words).where("palabra <> ''").groupBy("palabra").count()
