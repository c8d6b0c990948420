"""State of one's own, joins and deduplication, each against plain Python."""

from __future__ import annotations

import importlib.util
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from include.samples import bizums as samples
from jobs.labs.kit.lab import Lab
from jobs.labs.temas import dstream, duplicados, estado_propio, mllib, uniones

pytestmark = [pytest.mark.spark, pytest.mark.slow]
START = datetime(2026, 11, 1, tzinfo=UTC)


def test_own_state_counts_every_bizum_and_its_timer_finds_who_has_gone_quiet(
    spark: SparkSession, tmp_path: Path
) -> None:
    quiet = [f"Callada;5;cine;2026-11-01T0{hour}:00:00Z" for hour in range(3)]
    lines = [*quiet, *samples.dated_lines(60, 4, START, 6)]
    (tmp_path / "bizums.csv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    found = estado_propio.run(Lab(spark, tmp_path, say=lambda _: None))
    assert found["counts"] == Counter(samples.person(line.partition(";")[0]) for line in lines)
    assert "callada" in found["idle"]


def test_joins_find_the_shop_and_the_payment_in_time(spark: SparkSession, tmp_path: Path) -> None:
    found = uniones.run(Lab(spark, tmp_path, say=lambda _: None))
    assert found == {
        "shops": {"p1": "Elche", "p2": "Alicante", "p3": None, "p4": "Elche"},
        "paid": {"p1": 10.5, "p2": 7.0},
    }


def test_a_duplicate_is_known_within_the_watermark_and_forgotten_behind_it(
    spark: SparkSession, tmp_path: Path
) -> None:
    found = duplicados.run(Lab(spark, tmp_path, say=lambda _: None))
    assert found == {"out": [["a", "b"], ["c"], ["d"], ["a"]], "late": 1}


def test_a_model_trained_on_the_past_scores_what_comes(spark: SparkSession, tmp_path: Path) -> None:
    found = mllib.run(Lab(spark, tmp_path, say=lambda _: None))
    assert found["broken"] == {"s1": False, "s2": True, "s3": False, "s4": True, "s5": False}


def test_dstream_counts_the_same_words_where_this_spark_still_has_it(
    spark: SparkSession, tmp_path: Path
) -> None:
    found = dstream.run(Lab(spark, tmp_path, say=lambda _: None))
    assert found["structured"] == Counter(word for frase in dstream.FRASES for word in frase.split())
    assert found["has"] is (importlib.util.find_spec("pyspark.streaming") is not None)
    assert not found["has"] or found["dstream"] == found["structured"]
