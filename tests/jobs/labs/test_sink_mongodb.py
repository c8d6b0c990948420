"""MongoDB by upserts: the real wire protocol, each batch written twice, one document a person."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from include import labs
from include import settings as caudal
from include.samples import bizums as samples
from include.setup import jars
from jobs.contract.errors import ServiceError
from jobs.labs.kit import mongo
from jobs.labs.kit.lab import Lab
from jobs.labs.temas import camino, sink_mongodb

pytestmark = [pytest.mark.spark, pytest.mark.slow]


@pytest.fixture(scope="module")
def server_jars() -> tuple[str, ...]:
    return tuple(map(str, jars.of_set(caudal.load(), "mongo")))


def test_batches_that_come_twice_change_nothing(
    spark: SparkSession, tmp_path: Path, server_jars: tuple[str, ...]
) -> None:
    lines = list(samples.lines(60, 1))
    (tmp_path / "bizums.csv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    found = sink_mongodb.run(Lab(spark, tmp_path, {"mongo": ""}, jars=server_jars, say=lambda _: None))
    assert found["documents"] == samples.highest(lines)
    assert found["writes"] == 6


def test_the_way_into_mongodb_ends_with_the_samples_counts(
    spark: SparkSession, tmp_path: Path, server_jars: tuple[str, ...]
) -> None:
    options = labs.get("camino").values(
        {"sink": "mongodb", "mode": "complete", "trigger": "available-now", "state": "aggregation"}
    )
    with mongo.in_memory(spark, server_jars) as uri:
        found = camino.run(Lab(spark, tmp_path, {**options, "mongo": uri}, say=lambda _: None))
    assert {row["_id"]: row["count"] for row in found["rows"]} == {"uno": 1, "dos": 2, "tres": 3}


def test_nobody_at_the_address_is_one_line_without_the_password() -> None:
    with pytest.raises(ServiceError) as caught:
        mongo.check("mongodb://user:secret@127.0.0.1:1/?connectTimeoutMS=200&serverSelectionTimeoutMS=300")
    assert "127.0.0.1:1" in str(caught.value) and "secret" not in str(caught.value)
