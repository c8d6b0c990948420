"""The bizum labs against plain Python: the highest of each person from each source, and by day under a
watermark."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from include.samples import bizums as samples
from jobs.contract.errors import UsageError
from jobs.labs.actividades import actividad4_bizums, actividad4_bizums_faker
from jobs.labs.kit.lab import Lab

pytestmark = [pytest.mark.spark, pytest.mark.slow]
START = datetime(2026, 11, 1, tzinfo=UTC)


def lab(spark: SparkSession, folder: Path, lines: list[str], said: list[str], **options: object) -> Lab:
    folder.joinpath("bizums.csv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return Lab(spark, folder, {"pause": 0.0, **options}, say=said.append)  # type: ignore[dict-item]


@pytest.mark.parametrize("source", ["socket", "files"])
def test_the_highest_of_each_person_and_the_malformed_lines_are_what_plain_python_finds(
    spark: SparkSession, tmp_path: Path, source: str
) -> None:
    lines, said = list(samples.lines(60, seed=5)), []
    found = actividad4_bizums.run(lab(spark, tmp_path, lines, said, source=source))
    assert found["highest"] == samples.highest(lines)
    assert (found["lines"], found["malformed"]) == (60, sum(samples.good(line) is None for line in lines))
    assert found["malformed"] > 0
    assert said[-1] == f"60 líneas, {found['malformed']} que no se pueden contar"


def test_another_source_is_refused_by_name(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--source"):
        actividad4_bizums.run(lab(spark, tmp_path, ["a;1;b"], [], source="fax"))


def test_closed_days_are_exact_and_the_open_one_is_named(spark: SparkSession, tmp_path: Path) -> None:
    lines, said = list(samples.dated_lines(200, 2, START)), []
    found = actividad4_bizums_faker.run(lab(spark, tmp_path, lines, said))
    expected: dict[str, dict[str, float]] = {}
    for (day, who), highest in samples.highest_by_day(lines).items():
        expected.setdefault(day, {})[who] = highest
    assert found["late"] == 0  # nobody is more than the watermark's six hours late
    assert found["open"] == [max(expected)]
    assert found["days"] == {day: people for day, people in expected.items() if day != max(expected)}


def test_a_bizum_that_is_later_than_the_watermark_allows_is_dropped_and_counted(
    spark: SparkSession, tmp_path: Path
) -> None:
    lines = list(samples.dated_lines(200, 2, START))
    late = "Rico;99999;tarde;2026-11-01T01:00:00Z"
    found = actividad4_bizums_faker.run(lab(spark, tmp_path, [*lines, late], []))
    assert found["late"] == 1
    assert all("rico" not in people for people in found["days"].values())
