"""Parsing on real Spark: once a record, and csv as RFC 4180 has it, against Python's own reader."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import Observation
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructType

from jobs.contract.errors import RunFailed
from jobs.contract.run import part_files
from jobs.contract.stream import Files, Stream
from jobs.core.read.records import Subject, business, classify, notes
from jobs.core.write import publish, sinks
from jobs.domain import facturas

pytestmark = pytest.mark.spark

TWO = Subject(StructType().add("a", StringType()).add("b", StringType()), {})
FIELD = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=6).filter(
    lambda t: t == t.strip()
)


def raw(spark: Any, *lines: str) -> Any:
    frame = spark.createDataFrame([(line, "f") for line in lines], "_raw string, _origin string")
    return frame.select(F.col("_raw").cast("binary"), "_origin", F.current_timestamp().alias("_admitted"))


def of(source: Files) -> Stream:
    return Stream("s", source, Files("json"))


def test_a_record_is_parsed_once_however_many_columns_and_rules_use_it(spark: Any) -> None:
    subject = Subject(facturas.SCHEMA, facturas.RULES)
    seen = classify(raw(spark, "{}"), subject, of(Files("json"))).observe(
        Observation(), *publish._metrics(notes(subject, of(Files("json"))))
    )
    plan = facturas.lineas(business(seen, subject))._jdf.queryExecution().executedPlan().toString()
    assert (plan.count("from_json("), plan.count("strict_json.invoke(")) == (0, 1), plan


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=20))
def test_csv_reads_what_pythons_writer_wrote(spark: Any, rows: list[tuple[str, str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    found = business(classify(raw(spark, *out.getvalue().split("\n")[:-1]), TWO, of(Files("csv"))), TWO)
    assert [tuple(row) for row in found.collect()] == rows


@pytest.mark.parametrize("size", range(1, 9))
def test_quotes_are_followed_from_chunk_to_chunk(size: int) -> None:
    data, ends, quoted = b'a,"x\n""y\n"\n"",b\n', 0, False
    for start in range(0, len(data), size):
        found, quoted = part_files._line_ends(data[start : start + size], quoted)
        ends += found
    assert (ends, quoted) == (2, False)


def test_counts_that_never_come_fail_the_batch_instead_of_waiting_for_ever(
    spark: Any, home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "_METRICS_WAIT_S", 0.2)
    never = Observation()
    spark.range(1).observe(never, *[publish.F.count("*").alias("rows")])
    spec = publish.RunSpec(home.stream, "r1", "", "2026-11-23T20:00:00+00:00", str(home.path), 1, "", -1)
    start = time.monotonic()
    with pytest.raises(RunFailed, match="batch 7 was written, but Spark did not count"):
        publish.Publisher(spec, home.subject, home.transform)._observed(never, 7)
    assert time.monotonic() - start < 30


def test_json_keeps_microseconds_and_writes_all_other_times_as_spark_does(spark: Any, tmp_path: Path) -> None:
    times = ["2026-11-25T10:00:00.123456Z", "2026-11-25T10:00:00.120Z", "2026-11-25T10:00:00Z", None]
    frame = spark.createDataFrame([(text,) for text in times], "text string").selectExpr(
        "text",
        "cast(text as timestamp) as t",
        "cast(replace(text, 'Z') as timestamp_ntz) as l",
        "cast(text as date) as d",
    )
    sinks.write_files(frame.coalesce(1), Files("json"), tmp_path / "out")
    [part] = (tmp_path / "out").glob("part-*")
    found = [json.loads(line) for line in part.read_text().splitlines()]
    expected = [json.loads(row["j"]) for row in frame.select(F.to_json(F.struct("*")).alias("j")).collect()]
    assert found[0] == {"text": times[0], "t": times[0], "l": "2026-11-25T10:00:00.123456", "d": "2026-11-25"}
    assert found[1:] == expected[1:]
    assert json.loads(frame.select(sinks.packed(frame, "json").alias("j")).first()["j"]) == found[0]
