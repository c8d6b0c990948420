"""Kafka as a source, and continuous processing: exact counts for each start of a read, and the same rows in
every format."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from include import labs
from include.settings import Settings
from jobs.contract.kafka.connection import Connection
from jobs.labs.kit.lab import Lab
from jobs.labs.temas import camino, continuo, fuentes_kafka
from tests.matrix import long

pytestmark = [pytest.mark.spark, pytest.mark.slow]


@pytest.mark.broker
def test_where_a_read_begins_decides_how_many_records_come_and_every_format_gives_the_same_rows(
    spark: SparkSession, broker: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "fuentes"
    folder.mkdir()
    found = fuentes_kafka.run(
        Lab(spark, folder, broker=Connection(broker.kafka_bootstrap), say=lambda _: None)
    )
    assert found["starts"] == {
        "earliest": 10,
        "latest": 0,
        "offsets {0: 7}": 3,
        "timestamp del minuto 4": 6,
        "dos topics": 20,
        "un patrón": 20,
    }
    assert found["formats"] == {"json": 10, "csv": 10, "avro": 10}


@pytest.mark.broker
@pytest.mark.parametrize(
    "options",
    [
        {"format": "avro"},
        {"format": "csv", "trigger": "once"},
        long({"format": "json", "trigger": "continuous"}),
    ],
    ids=str,
)
def test_topic_to_topic_in_every_format_and_continuously(
    spark: SparkSession, broker: Settings, tmp_path: Path, options: dict[str, str]
) -> None:
    chosen = labs.get("camino").values(
        {"source": "kafka", "sink": "kafka", "trigger": "available-now", "seconds": "6", **options}
    )
    lab = Lab(spark, tmp_path, chosen, broker=Connection(broker.kafka_bootstrap), say=lambda _: None)
    assert [row["key"] for row in camino.run(lab)["rows"]] == sorted(camino.PALABRAS)


@pytest.mark.torture
def test_continuously_rows_come_through_in_epochs_each_once(spark: SparkSession, tmp_path: Path) -> None:
    found = continuo.run(Lab(spark, tmp_path, {"seconds": 4}, say=lambda _: None))
    assert found["micro-batches"]["rows"] == list(range(len(found["micro-batches"]["rows"])))
    assert len(found["continuo"]["rows"]) == len({*found["continuo"]["rows"]})
    for one in found.values():
        assert one["rows"] and one["steps"]
