"""Bizums: who is the same person, and which lines cannot be counted."""

from __future__ import annotations

import unicodedata

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from include.samples import bizums as samples
from jobs.domain import bizums

pytestmark = pytest.mark.spark

SAME = (
    ("José", "JOSÉ", "jose", " José ", unicodedata.normalize("NFD", "José")),
    ("Peña", "PEÑA", "pen\u0303a", "PEN\u0303A"),
    ("María  José", "MARIA JOSE"),
)


def test_names_that_differ_in_case_accents_or_blanks_are_one_person_and_an_n_with_tilde_is_another_letter(
    spark: SparkSession,
) -> None:
    names = [name for group in SAME for name in group] + ["Pena"]
    frame = spark.createDataFrame([(n,) for n in names], "n string")
    found = {row.n: row.p for row in frame.select("n", bizums.persona(F.col("n")).alias("p")).collect()}
    assert {tuple({found[name] for name in group}) for group in SAME} == {
        ("jose",),
        ("peña",),
        ("maria jose",),
    }
    assert found["Pena"] == "pena"
    assert found == {name: samples.person(name) for name in names}


def test_lines_are_read_and_judged_as_plain_python_does(spark: SparkSession) -> None:
    lines = list(dict.fromkeys(samples.lines(400, 3)))
    rows = bizums.leidos(spark.createDataFrame([(line,) for line in lines], "value string")).collect()
    found = [(samples.person(row.Nombre), row.Cantidad) if not row["_mal"] else None for row in rows]
    assert found == [samples.good(line) for line in lines]
    assert 0 < found.count(None) < len(found) / 2


def test_the_rules_are_true_for_what_cannot_be_counted_and_never_null(spark: SparkSession) -> None:
    rows = [
        ("a", 1.0, "x"),
        (None, 1.0, "x"),
        ("  ", 1.0, ""),
        ("a", None, "x"),
        ("a", -1.0, None),
        ("a", float("inf"), ""),
    ]
    frame = spark.createDataFrame(rows, bizums.SCHEMA)
    found = [tuple(row) for row in frame.select(*(F.expr(sql) for sql in bizums.RULES.values())).collect()]
    assert found == [
        (False, False),
        (True, False),
        (True, False),
        (False, True),
        (False, True),
        (False, True),
    ]
