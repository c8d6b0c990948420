"""Kafka as a source: which topics, from which offset, in which format."""

from __future__ import annotations

from typing import Any, get_args

from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StringType, StructType

from jobs.core.write import sinks
from jobs.labs.declared.ends import ForeachBatch, Pipeline, Subscription, ValueFormat
from jobs.labs.kit import sources
from jobs.labs.kit.lab import Facts, Lab

ESQUEMA = StructType().add("n", LongType()).add("texto", StringType())
FILAS = [(n, f"fila {n}, «ñ»") for n in range(10)]
START_MS = 1_700_000_000_000
STEP_MS = 60_000  # a record a minute


def run(lab: Lab) -> Facts:
    """Facts: starts (start -> records read), formats (format -> rows that are read as they were written)."""
    one, other = (
        lab.topics.fresh(name, retention_ms="-1") for name in ("uno", "dos")
    )  # its records are of 2023
    for topic in (one, other):
        for n, _ in FILAS:
            lab.topics.produce(topic, [str(n)], timestamp=START_MS + n * STEP_MS)
    prefix = one.rpartition("_uno_")[0]
    asked: dict[str, Subscription] = {
        "earliest": Subscription((one,), format="text"),
        "latest": Subscription((one,), start="latest", format="text"),
        "offsets {0: 7}": Subscription((one,), start={one: {"0": 7}}, format="text"),
        "timestamp del minuto 4": Subscription((one,), start=START_MS + 4 * STEP_MS, format="text"),
        "dos topics": Subscription((one, other), format="text"),
        "un patrón": Subscription(
            pattern=f"{prefix}_(uno|dos)_{one.rpartition('_')[2]}|{other}", format="text"
        ),
    }
    starts = {
        how: len(_read(lab, source, f"inicio{number}")) for number, (how, source) in enumerate(asked.items())
    }
    lab.table(("desde dónde, o qué topics", "registros leídos"), list(starts.items()))
    formats = {form: _as_written(lab, form) for form in get_args(ValueFormat) if form != "text"}
    lab.table(("formato", "filas iguales a las escritas"), list(formats.items()))
    return {"starts": starts, "formats": formats}


def _read(lab: Lab, source: Subscription, name: str) -> list[Any]:
    rows_read: list[Any] = []
    frame = lab.read(source)
    rows = (
        frame.select(F.col("value").cast("string").alias("value"))
        if source.format == "text"
        else sources.values(frame, source.format, ESQUEMA)
    )
    query = lab.start(
        rows,
        Pipeline(source, ForeachBatch()),
        name,
        each=lambda batch, _: rows_read.extend(tuple(row) for row in batch.collect()),
    )
    lab.follow(query)
    return rows_read


def _as_written(lab: Lab, form: ValueFormat) -> int:
    topic = lab.topics.fresh(form)
    rows = lab.spark.createDataFrame(FILAS, ESQUEMA).coalesce(1)
    written = rows.select(sinks.packed(rows, form).cast("binary").alias("value")).collect()
    lab.topics.produce(topic, [bytes(row.value) for row in written])
    rows_read = _read(lab, Subscription((topic,), format=form), f"formato_{form}")
    return len(set(rows_read) & set(FILAS))
