"""The four conditions of exactly-once: broken, so many rows are lost or repeated; kept, none."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from pyspark.sql import SparkSession

from jobs.labs.exacto import exacto1_checkpoint, exacto2_fuente, exacto3_determinista, exacto4_idempotente
from jobs.labs.kit.lab import Lab

pytestmark = [pytest.mark.spark, pytest.mark.slow]


@pytest.mark.parametrize(
    ("lab", "broken", "right"),
    [
        (exacto1_checkpoint, ("otro checkpoint", 100, 0, 50), ("mismo checkpoint", 100, 0, 0)),
        (exacto3_determinista, ("clave al azar", 40, 0, 40), ("clave del dato", 40, 0, 0)),
        (exacto4_idempotente, ("añadir sin más", 40, 0, 40), ("una carpeta por lote", 40, 0, 0)),
    ],
    ids=lambda value: value.__name__.rpartition(".")[2] if isinstance(value, ModuleType) else "",
)
def test_the_condition_broken_repeats_so_many_and_kept_none(
    spark: SparkSession,
    tmp_path: Path,
    lab: ModuleType,
    broken: tuple[str, int, int, int],
    right: tuple[str, int, int, int],
) -> None:
    found = lab.run(Lab(spark, tmp_path, say=lambda _: None))
    for way, delivered, lost, repeated in (broken, right):
        assert found[way] == {"way": way, "delivered": delivered, "lost": lost, "repeated": repeated}


def test_a_socket_loses_the_batch_under_way_and_files_lose_nothing(
    spark: SparkSession, tmp_path: Path
) -> None:
    found = exacto2_fuente.run(Lab(spark, tmp_path, say=lambda _: None))
    assert found["ficheros"] == {"way": "ficheros", "delivered": 20, "lost": 0, "repeated": 0}
    assert (
        1 <= found["socket"]["lost"] <= 10
    )  # what had come when it fell; how much that is, the network decides
    assert found["socket"]["repeated"] == 0
