"""Measures the CPU time of strict reading and of Spark's own JSON reader in one JVM, and their ratio:
`python -m bench.strict [INVOICES] [ROUNDS]`."""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from include import settings as caudal
from include.samples import facturas as samples
from include.setup import class_data, java, jvm
from jobs.contract.stream import Files, Stream
from jobs.core import session
from jobs.core.read.records import Subject, business, classify, notes
from jobs.core.write import publish
from jobs.domain import facturas

STREAM = Stream("facturas_ficheros", Files("json"), Files("json"))
SUBJECT = Subject(facturas.SCHEMA, {})  # without the domain's rules, which are no part of reading
Reader = Callable[[SparkSession, str], DataFrame]


def plain(spark: SparkSession, path: str) -> DataFrame:
    return spark.read.schema(facturas.SCHEMA).json(path)


def strict(spark: SparkSession, path: str) -> DataFrame:
    raw = spark.read.option("lineSep", "\n").text(path)
    frame = raw.select(
        F.col("value").cast("binary").alias("_raw"),
        F.lit("f").alias("_origin"),
        F.current_timestamp().alias("_admitted"),
    )
    counted = classify(frame, SUBJECT, STREAM).observe(
        Observation(), *publish._metrics(notes(SUBJECT, STREAM))
    )
    return business(counted, SUBJECT)


def cpu_s(spark: Any) -> float:
    """CPU seconds this JVM has used, all threads."""
    times = psutil.Process(spark._jvm.java.lang.ProcessHandle.current().pid()).cpu_times()
    return float(times.user + times.system)


def cost(spark: SparkSession, read: Reader, path: str) -> float:
    before = cpu_s(spark)
    facturas.lineas(read(spark, path)).write.format("noop").mode("overwrite").save()
    return cpu_s(spark) - before


def main(invoices: int, rounds: int) -> None:
    config = caudal.load()
    os.environ |= class_data.environ(
        config, java.find(config), Path(tempfile.mkdtemp(prefix="caudal-bench-"))
    ) | {"SPARK_LOCAL_IP": "127.0.0.1"}
    builder = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
    )
    builder = builder.config("spark.driver.memory", "2g").config(
        "spark.driver.extraClassPath", jvm.driver_class_path(config)
    )
    for key, value in session.SETTINGS.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "in.json")
        path.write_text(
            "\n".join(samples.generate(invoices, 1, 1_700_000_000_000).documents) + "\n", encoding="utf-8"
        )
        readers: dict[str, Reader] = {"plain": plain, "strict": strict}
        costs: dict[str, list[float]] = {name: [] for name in readers}
        for _ in range(rounds + 1):
            for name, read in readers.items():
                costs[name] += [cost(spark, read, str(path))]
    # without the first round, which warms up
    medians = {name: round(statistics.median(values[1:]), 2) for name, values in costs.items()}
    ratio = round(medians["strict"] / medians["plain"], 2)
    print(json.dumps({"invoices": invoices, "cpu_s": medians, "ratio": ratio}))
    spark.stop()


if __name__ == "__main__":
    main(*(int(word) for word in (sys.argv[1:] + ["500000", "3"][len(sys.argv) - 1 :])))
