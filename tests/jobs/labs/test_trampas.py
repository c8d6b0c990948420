"""The traps that a lab shows in one session, with exact counts. Those that are done to both sides are tested
in tests/torture/test_table.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from include import labs
from jobs.labs.kit.lab import Lab
from jobs.labs.trampas import (
    trampa10_ansi,
    trampa10_evento_del_futuro,
    trampa11_ultimas_ventanas,
    trampa14_particiones,
)

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def test_an_event_of_2099_makes_all_later_readings_late(spark: SparkSession, tmp_path: Path) -> None:
    found = trampa10_evento_del_futuro.run(Lab(spark, tmp_path, say=lambda _: None))
    # readings of minutes 0 to 29 are in windows that close; the four of minutes 55 to 58 stay open
    assert found["sin"] == {"windows": 6, "readings": 30, "late": 0}
    assert (
        found["con"]["readings"] == 10
    )  # those that came with it, and the batch behind it: Spark filters by the watermark before
    assert found["con"]["late"] > 0
    assert (found["caudal"], found["refused"]) == (found["sin"], {"event-time": 1})


def test_one_value_that_is_no_number_stops_a_cast_for_ever_and_is_put_aside_here(
    spark: SparkSession, tmp_path: Path
) -> None:
    found = trampa10_ansi.run(Lab(spark, tmp_path, say=lambda _: None))
    assert found == {
        "delivered": 9,
        "cast": 3,
        "again": 3,
        "try_cast": [9, 1],
        "caudal": 8,
        "refused": {"wrong-type": 1},
    }


def test_the_last_windows_stay_in_the_state(spark: SparkSession, tmp_path: Path) -> None:
    found = trampa11_ultimas_ventanas.run(Lab(spark, tmp_path, say=lambda _: None))
    # the newest reading is of minute 39, the watermark minute 29: windows up to minute 25 are out
    assert found == {"delivered": 40, "published": 25, "open_windows": 3, "caudal": 40, "again": 0}


def test_small_data_in_200_partitions_and_the_number_that_stays(spark: SparkSession, tmp_path: Path) -> None:
    found = trampa14_particiones.run(Lab(spark, tmp_path, say=lambda _: None))
    assert (
        found["200"]["partitions"],
        found["4"]["partitions"],
        found["caudal"]["partitions"],
        found["pinned"],
    ) == (200, 4, 4, 200)


def test_every_lab_of_a_fault_names_one_that_exists() -> None:
    from include.torture.faults import files, topics

    known = {fault.__name__ for fault in (*files.ALONE, *files.ON_A_DISK, *topics.FAULTS)}
    assert {lab.fault for lab in labs.collect()[0].values() if lab.fault} <= known
