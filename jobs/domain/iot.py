"""Temperature readings of sensors, and their windows of event time (course: the optional IoT activity).

The watermark is the time of the latest reading minus DELAY. A window is published once, when the watermark
has passed its end. A reading for a window that is already published is dropped as late.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, StringType, StructType, TimestampType

SCHEMA = (
    StructType().add("sensor", StringType()).add("temperatura", DoubleType()).add("momento", TimestampType())
)  # degrees Celsius

# Code -> SQL condition over SCHEMA's columns, never null, TRUE for a record that breaks the rule.
RULES: Mapping[str, str] = MappingProxyType(
    {
        "no-sensor": "coalesce(trim(sensor) = '', true)",
        "no-temperature": "temperatura IS NULL",
        "below-absolute-zero": "coalesce(temperatura < -273.15, false)",
    }
)

DELAY = "10 minutes"  # how long a reading may be on its way
SLIDING = ("15 minutes", "5 minutes")  # length, step: each reading counts in three windows
TUMBLING = "5 minutes"


def lecturas(temperaturas: DataFrame) -> DataFrame:
    """SCHEMA -> SCHEMA: the readings unchanged. Strict reading has refused all others."""
    return temperaturas.select(*SCHEMA.names)


def ventanas(lecturas: DataFrame) -> DataFrame:
    """SCHEMA -> one row per sensor and sliding window with a reading: inicio, fin, sensor, maxima, media,
    lecturas (their number)."""
    grouped = lecturas.withWatermark("momento", DELAY).groupBy(F.window("momento", *SLIDING), "sensor")
    made = grouped.agg(
        F.max("temperatura").alias("maxima"),
        F.avg("temperatura").alias("media"),
        F.count("*").alias("lecturas"),
    )
    return made.select("window.start", "window.end", "sensor", "maxima", "media", "lecturas").toDF(
        *_COLUMNS, "media", "lecturas"
    )


def maximas(lecturas: DataFrame) -> DataFrame:
    """SCHEMA -> one row per sensor and 5 minutes with a reading: inicio, fin, sensor, maxima."""
    grouped = lecturas.withWatermark("momento", DELAY).groupBy(F.window("momento", TUMBLING), "sensor")
    return (
        grouped.agg(F.max("temperatura").alias("maxima"))
        .select("window.start", "window.end", "sensor", "maxima")
        .toDF(*_COLUMNS)
    )


def maximas_contadas(lecturas: DataFrame) -> DataFrame:
    """As `maximas`, with lecturas: the number of readings in each window."""
    grouped = lecturas.withWatermark("momento", DELAY).groupBy(F.window("momento", TUMBLING), "sensor")
    return grouped.agg(F.max("temperatura").alias("maxima"), F.count("*").alias("lecturas")).select(
        "window.start", "sensor", "maxima", "lecturas"
    )


_COLUMNS = ("inicio", "fin", "sensor", "maxima")
