"""Real ways from a source to a sink: what the table says works does, with exactly the sample's rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from include import labs
from jobs.contract.errors import DataError, Refused
from jobs.labs.declared.ends import Memory, Pipeline, Rate
from jobs.labs.kit.lab import Lab
from jobs.labs.temas import camino
from tests.matrix import long

pytestmark = [pytest.mark.spark, pytest.mark.slow]
WORDS = [{"palabra": word} for word in sorted(camino.PALABRAS)]
COUNTS = [{"palabra": "dos", "count": 2}, {"palabra": "tres", "count": 3}, {"palabra": "uno", "count": 1}]
CHOSEN = labs.get("camino").values({"sink": "files", "trigger": "available-now", "seconds": "20"})
# a word a minute: all but the last minute are closed by the watermark of the last word
MINUTES = ("22:13:00", "22:14:00", "22:15:00", "22:16:00")


def go(spark: SparkSession, folder: Path, **options: object) -> list[dict[str, Any]]:
    lab = Lab(spark, folder, CHOSEN | options, say=lambda _: None)  # type: ignore[arg-type]
    rows: list[dict[str, Any]] = camino.run(lab)["rows"]
    return sorted(rows, key=lambda row: (row.get("palabra", ""), str(row)))


@pytest.mark.parametrize("form", ["text", "csv", "json", "parquet", "orc", "avro"])
def test_every_file_format_comes_in_and_goes_out(spark: SparkSession, tmp_path: Path, form: str) -> None:
    rows = go(spark, tmp_path, format=form)
    assert [next(iter(row.values())) for row in rows] == [row["palabra"] for row in WORDS]


@pytest.mark.parametrize(
    ("options", "reads"),
    [
        long(({"max_files": 1}, [2, 2, 2])),
        ({"max_files": 2}, [4, 2]),
        ({"max_bytes": 1}, [2, 2, 2]),  # one file at least
        long(({"max_bytes": 100_000}, [6])),
        ({"max_files": 1, "latest_first": True}, [2, 2, 2]),
        ({"format": "csv", "separator": ";", "header": True, "infer": True}, [6]),
        long(({"format": "json", "infer": True}, [6])),
    ],
    ids=str,
)
def test_options_of_the_file_source_decide_what_a_batch_reads(
    spark: SparkSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: dict[str, object],
    reads: list[int],
) -> None:
    lab = Lab(spark, tmp_path, CHOSEN | options, say=lambda _: None)  # type: ignore[arg-type]
    found = camino.run(lab)
    assert found["reads"] == reads
    assert sorted(next(iter(row.values())) for row in found["rows"]) == sorted(
        camino.PALABRAS
    )  # csv goes out without names
    assert ("aviso: esquema inferido de lo que hay ahora en entrada" in capsys.readouterr().out) == bool(
        options.get("infer")
    )
    if options.get("header"):
        assert {file.read_text().splitlines()[0] for file in (tmp_path / "entrada").glob("part-*")} == {
            "n;palabra"
        }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"sink": "memory"}, WORDS),
        long(({"sink": "memory", "mode": "update", "state": "aggregation"}, COUNTS)),
        ({"sink": "memory", "mode": "complete", "state": "aggregation", "trigger": "default"}, COUNTS),
        ({"sink": "foreach", "trigger": "once"}, WORDS),
        ({"sink": "foreachBatch", "mode": "complete", "state": "aggregation"}, COUNTS),
        long(
            (
                {
                    "sink": "foreachBatch",
                    "mode": "update",
                    "state": "aggregation",
                    "trigger": "processing-time",
                },
                COUNTS,
            )
        ),
        ({"sink": "table"}, WORDS),
        long(({"source": "table", "sink": "memory"}, WORDS)),
        ({"source": "table", "sink": "table", "trigger": "once"}, WORDS),
        ({"source": "socket", "sink": "files", "trigger": "processing-time"}, WORDS),
        long(
            (
                {
                    "source": "socket",
                    "sink": "foreachBatch",
                    "mode": "complete",
                    "state": "aggregation",
                    "trigger": "default",
                },
                COUNTS,
            )
        ),
    ],
    ids=str,
)
def test_a_way_that_works_ends_with_the_samples_rows(
    spark: SparkSession, tmp_path: Path, options: dict[str, str], expected: list[dict[str, Any]]
) -> None:
    assert go(spark, tmp_path, seconds=120, **options) == expected  # each ends by itself, soon


def test_closed_windows_appear_and_the_last_ones_stay_open(spark: SparkSession, tmp_path: Path) -> None:
    rows = go(spark, tmp_path, sink="memory", state="windowed")
    closed = [(f"2023-11-14 {at}", word, 1) for at, word in zip(MINUTES, camino.PALABRAS, strict=False)]
    assert sorted((row["desde"], row["palabra"], row["count"]) for row in rows) == sorted(closed)


def test_rate_counts_up_continuously(spark: SparkSession, tmp_path: Path) -> None:
    rows = go(spark, tmp_path, source="rate", sink="memory", trigger="continuous", seconds=4)
    assert rows and {row["palabra"] for row in rows} <= set(camino.PALABRAS)


@pytest.mark.torture
def test_a_generated_lab_that_goes_continuously_tells_its_epochs(spark: SparkSession, tmp_path: Path) -> None:
    said: list[str] = []
    pipeline = Pipeline(Rate(5), Memory("seguido"), trigger="continuous", interval="1 second")
    lab = Lab(spark, tmp_path, {"seconds": 5}, say=said.append, pipeline=pipeline)
    found = lab.go(lambda frame: frame)
    assert found["epochs"] > 0 and said[-1].startswith(f"{found['epochs']} época")
    assert spark.table("seguido").count() > 0


def test_what_is_refused_starts_no_query(spark: SparkSession, tmp_path: Path) -> None:
    for options in (
        {"mode": "complete"},
        {"trigger": "continuous"},
        {"source": "rate"},
        {"mode": "append", "state": "aggregation"},
    ):
        with pytest.raises(Refused, match="-> usa "):
            go(spark, tmp_path, **options)
    assert spark.streams.active == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_file_has_no_schema_to_infer(spark: SparkSession, tmp_path: Path) -> None:
    from jobs.labs.declared.ends import Folder

    with pytest.raises(DataError, match="infer"):
        Lab(spark, tmp_path).read(Folder("vacia", infer=True))
