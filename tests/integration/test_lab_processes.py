"""Labs that must run in a process of their own to show what they show: `./caudal lab` as it is typed."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from include import labs
from include.samples import bizums, facturas
from jobs.contract.disk.layout import Layout
from tests.integration.command_line import answer, call


def run(home: Path, *words: str) -> dict[str, Any]:
    """The facts of a lab that ended with 0."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CAUDAL_KAFKA", "PYTHON"))}
    environ = kept | {"CAUDAL_HOME": str(home)}
    facts: dict[str, Any] = answer(call(environ, "lab", *words, "--json"))["facts"]
    return facts


@pytest.mark.torture
@pytest.mark.slow
@pytest.mark.spark
def test_a_batch_that_delta_has_is_not_written_again_and_its_part_files_alone_tell_too_much(
    tmp_path: Path,
) -> None:
    facts = run(tmp_path, "sink_delta")
    folder = Layout(tmp_path).lab("sink_delta")
    files = [file.read_text().splitlines() for file in sorted((folder / "muestras").iterdir())]
    lines = [sum(len(facturas.lines_of(document)) for document in documents) for documents in files]
    assert facts["lines"] == facts["again"] == sum(lines)
    assert facts["versions"] == [[batch, count] for batch, count in enumerate(lines)]
    assert facts["first"] == lines[0]
    cities = [
        {
            json.loads(d).get("DeliveryAddress", {}).get("City")
            for documents in files[: n + 1]
            for d in documents
        }
        for n in range(3)
    ]
    assert (facts["summary"], facts["files"]) == (len(cities[-1]), sum(map(len, cities)))


@pytest.mark.torture
@pytest.mark.spark
def test_the_way_to_delta_brings_delta_along(tmp_path: Path) -> None:
    facts = run(
        tmp_path,
        "camino",
        "--sink",
        "delta",
        "--mode",
        "complete",
        "--state",
        "aggregation",
        "--trigger",
        "available-now",
    )
    assert {row["palabra"]: row["count"] for row in facts["rows"]} == {"uno": 1, "dos": 2, "tres": 3}


@pytest.mark.torture
@pytest.mark.slow
@pytest.mark.spark
def test_a_continuous_query_ends_without_a_warning_of_the_tasks_that_its_end_kills(tmp_path: Path) -> None:
    done = call({**os.environ, "CAUDAL_HOME": str(tmp_path)}, "lab", "continuo", "--seconds", "2")
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 5), done
    assert "TaskKilled" in (Layout(tmp_path).lab("continuo") / "driver.log").read_text()


@pytest.mark.torture
@pytest.mark.slow
@pytest.mark.spark
def test_state_in_python_finds_its_modules_where_nothing_but_the_shipped_jobs_is_on_the_path(
    tmp_path: Path,
) -> None:
    facts = run(tmp_path, "estado_propio")
    row = labs.get("estado_propio")
    assert row.sample is not None
    lines = row.sample(row.values({}))["bizums.csv"].splitlines()
    assert facts["counts"] == Counter(bizums.person(line.split(";")[0]) for line in lines)
