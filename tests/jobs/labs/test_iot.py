"""The IoT lab against plain Python: every window that is closed, exactly, from files and from Kafka."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from include import labs
from include.samples import temperaturas as samples
from include.settings import Settings
from jobs.contract.kafka.connection import Connection
from jobs.labs.casos import iot_ventanas
from jobs.labs.kit.lab import Lab

pytestmark = [pytest.mark.spark, pytest.mark.slow]
LINES = list(samples.documents(200, 3, 1_793_527_200_000))
MINUTE = samples.MINUTE_MS


def expected(length: int) -> dict[tuple[str, str, str], float]:
    """(start, end, sensor) -> maximum of every window that the watermark of the newest reading has passed."""
    made = samples.Windows(length * MINUTE, 5 * MINUTE, samples.DELAY_MS).run(LINES)
    return {(text(row["inicio"]), text(row["fin"]), row["sensor"]): row["maxima"] for row in made}


def text(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def check(spark: SparkSession, folder: Path, **options: object) -> None:
    row = labs.get("iot_ventanas")
    assert row.sample is not None
    written = row.sample(row.values({"count": "200", "seed": "3", "late": "3"}))["lecturas.json"]
    assert written.splitlines()[: len(LINES)] == LINES
    (folder / "lecturas.json").write_text(written, encoding="utf-8")
    connection = options.pop("broker", None)
    found = iot_ventanas.run(Lab(spark, folder, options, broker=connection, say=lambda _: None))  # type: ignore[arg-type]
    for name, length in (("windows", 15), ("maxima", 5)):
        assert {(row["inicio"], row["fin"], row["sensor"]): row["maxima"] for row in found[name]} == expected(
            length
        ), name
        assert len(found[name]) == len(expected(length))
    assert (found["late"], found["late_windows"]) == (3, 9)


@pytest.mark.torture
def test_every_closed_window_is_exact_from_files(spark: SparkSession, tmp_path: Path) -> None:
    check(spark, tmp_path, source="files")


@pytest.mark.broker
def test_every_closed_window_is_exact_from_kafka(
    spark: SparkSession, broker: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "iot"
    folder.mkdir()
    check(spark, folder, source="kafka", broker=Connection(broker.kafka_bootstrap))
