"""Measures seconds and CPU seconds to send notifications: the exactly-once sink and Spark's own take turns,
on one Spark session and from the same topic.

    python -m bench.notificaciones --bootstrap HOST:PORT [--invoices 500000] [--rounds 3]

It needs a broker (./caudal up) and Spark's Kafka jars (./caudal setup), and removes the topics that it
creates.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from include import settings as caudal
from include import streams
from include.kafka import connection, consume, produce, topics
from include.kafka.produce import Message
from include.launch import plan as launch
from include.samples import facturas as samples
from include.settings import Settings
from include.setup import class_data, jvm
from jobs.contract.run import report
from jobs.contract.run.spec import new_run_id
from jobs.contract.stream import Delivery, Stream, Topic
from jobs.core import run
from jobs.core.read.records import Subject
from jobs.core.session import SETTINGS
from jobs.domain import facturas

SOURCE = Topic("bench-facturas")
DELIVERIES: tuple[Delivery, ...] = ("at-least-once", "exactly-once")


def stream(delivery: Delivery) -> Stream:
    """The row of `notificaciones` with another source, and another sink for each delivery."""
    row = streams.get("notificaciones")
    assert isinstance(row.sink, Topic)
    return replace(row, source=SOURCE, sink=replace(row.sink, name=f"bench-{delivery}", delivery=delivery))


def measure(bootstrap: str, invoices: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Delivery -> (seconds, CPU seconds of driver, JVM and workers) of each whole run.

    Raises AssertionError unless a consumer of committed records finds every message once.
    """
    settings = _settings(bootstrap, Path(tempfile.gettempdir()))
    rows = [stream(delivery) for delivery in DELIVERIES]
    _remove(settings, rows)
    topics.ensure(settings, rows)
    sent = (Message(d.encode()) for d in samples.documents(invoices, 1, 1_700_000_000_000))
    print(
        f"{produce.produce(settings, SOURCE.name, sent).records:,} invoices are on {SOURCE.name}", flush=True
    )
    times: dict[str, list[tuple[float, float]]] = {delivery: [] for delivery in DELIVERIES}
    with _session() as spark:
        for number in range(rounds + 1):  # the first one warms the session up, and does not count
            for row in rows[:: 1 if number % 2 else -1]:
                took = _once(spark, bootstrap, row)
                assert isinstance(row.sink, Topic)
                print(f"round {number}: {row.sink.delivery} {took[0]:.2f} s, CPU {took[1]:.2f} s", flush=True)
                if number:
                    times[row.sink.delivery].append(took)
    for row in rows:
        assert isinstance(row.sink, Topic)
        count = sum(1 for _ in consume.read(settings, row.sink.name))
        assert count == invoices * (rounds + 1), (row.sink.name, count)
    _remove(settings, rows)
    return times


def _settings(bootstrap: str, home: Path) -> Settings:
    return caudal.load({**os.environ, "CAUDAL_HOME": str(home), "CAUDAL_KAFKA_BOOTSTRAP": bootstrap})


def _remove(settings: Settings, rows: list[Stream]) -> None:
    from confluent_kafka.admin import AdminClient

    admin = AdminClient(connection.connect(settings).librdkafka())
    there = {t.name for t in topics.declared(rows)} & set(admin.list_topics(timeout=30).topics)
    for future in admin.delete_topics(sorted(there)).values() if there else ():
        future.result(30)
    while there & set(admin.list_topics(timeout=30).topics):
        time.sleep(0.1)


@contextmanager
def _session() -> Iterator[Any]:
    """A session with the options of a scheduled run; a test's session has others."""
    os.environ["SPARK_HOME"] = str(class_data.spark_home())
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    for name in ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"):
        os.environ[name] = sys.executable  # another Python has none of the packages
    from pyspark.sql import SparkSession

    builder = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
    )
    builder = builder.config("spark.driver.extraClassPath", jvm.driver_class_path(caudal.load())).config(
        "spark.driver.memory", "1g"
    )
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    yield spark
    spark.stop()


def _once(spark: Any, bootstrap: str, row: Stream) -> tuple[float, float]:
    """A whole run in a new home: planning, batches, manifests."""
    with tempfile.TemporaryDirectory(prefix="caudal-bench-") as folder:
        settings, now = _settings(bootstrap, Path(folder)), datetime.now(UTC)
        positions = launch.positions(settings, row)
        generation = launch.first_generation(row, positions, now)
        spec = launch.spec(settings, row, generation, new_run_id(now), "", now)
        plan = launch.make(settings, spec, generation, positions)
        begin, before_s = time.monotonic(), _cpu_s()
        run.stream(spark, plan.spec, Subject(facturas.SCHEMA, dict(facturas.RULES)), facturas.notificaciones)
        took = time.monotonic() - begin, _cpu_s() - before_s
        done = report.with_published(report.of(plan.spec, "done"), settings.layout.output(row.name, 1))
        assert done.rows_out == plan.waiting.records, done
        return took


def _cpu_s() -> float:
    """CPU seconds of this process and all below it. On a busy machine they compare better than wall
    seconds."""
    own = psutil.Process()
    times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return sum(t.user + t.system for t in times) + sum(t.children_user + t.children_system for t in times)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--invoices", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    seconds = measure(given.bootstrap, given.invoices, given.rounds)
    for index, what in enumerate(("seconds", "CPU seconds")):
        own, exact = (median(pair[index] for pair in seconds[delivery]) for delivery in DELIVERIES)
        print(
            f"{what}, median of {given.rounds}: "
            f"at least once (Spark's own) {own:.2f}, exactly once {exact:.2f}, ratio {exact / own:.2f}"
        )
