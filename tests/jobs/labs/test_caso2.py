"""Caso 2's labs: one file for each batch, an inferred schema, Spark's own cleaning, and a query's own
progress."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include import streams
from include.housekeeping.files import after_run
from include.samples import facturas
from jobs.labs.casos import caso2_inferencia, caso2_limpieza
from jobs.labs.casos.caso2_monitorizacion import operators
from jobs.labs.kit.lab import Lab
from tests.integration import here
from tests.jobs.labs.caso2 import lines_of, run, samples

pytestmark = [pytest.mark.spark, pytest.mark.slow]
FILES = [f"facturas-{n}.json" for n in range(1, 7)]


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ({}, [[name] for name in FILES[:5]]),
        ({"latest_first": "yes"}, [[name] for name in FILES[4::-1]]),
        ({"max_files": "2"}, [FILES[0:2], FILES[2:4], FILES[4:5]]),
    ],
)
def test_each_batch_reads_as_many_files_as_it_may(
    spark: Any, tmp_path: Path, options: dict[str, str], files: list[list[str]]
) -> None:
    found = run(spark, tmp_path, "caso2_un_fichero", **options)
    assert found == {
        "files": files,
        "invoices": [4 * len(names) for names in files],
        "lines": lines_of(*samples(tmp_path)),
    }


def test_a_later_file_of_another_shape_loses_fields_without_a_word(spark: Any, tmp_path: Path) -> None:
    said: list[str] = []
    found = run(spark, tmp_path, "caso2_inferencia", said.append)
    assert found["empty"].startswith("no hay ningún fichero del que inferir el esquema")
    assert found["columns"]["TotalAmount"] == "double"
    assert "Propina" not in found["columns"]
    assert [(r["InvoiceNumber"], r["TotalAmount"]) for r in found["later"]] == [
        ("90000001", 12.5),
        ("90000002", None),
        ("90000003", None),
    ]
    assert found["changes"] == ["Propina: (no estaba) -> double", "TotalAmount: double -> string"]
    assert len(found["later"]) == len(caso2_inferencia.OTRA_FORMA)


def test_sparks_own_cleaning_leaves_the_last_batch_behind(spark: Any, tmp_path: Path) -> None:
    found = run(spark, tmp_path, "caso2_limpieza")
    five, six = lines_of(*samples(tmp_path)[:5]), lines_of(*samples(tmp_path))
    for how, kept in (("archive", 1), ("delete", 0)):
        rows = [row[1:] for row in found["spark"] if row[0] == f"cleanSource={how}"]
        assert rows == [
            ["5 ficheros", ["facturas-5.json"], 4 * kept, five],
            ["sin nada nuevo", ["facturas-5.json"], 4 * kept, five],
            ["un fichero más", ["facturas-6.json"], 5 * kept, six],
        ]
    assert found["caudal"] == []


def test_beside_sparks_cleaning_stands_the_archive_of_caudal(spark: Any, tmp_path: Path) -> None:
    home = here.Home.on(spark, tmp_path / "caudal", "facturas_ficheros", "")
    for file, text in facturas.files(6, 4).items():
        home.put(Path(file).name, text.splitlines())
    assert home.run()[0] == 0
    assert after_run.tidy(home.settings, streams.get(home.stream), datetime.now(UTC)).error is None
    found = caso2_limpieza._caudal(Lab(spark, tmp_path))
    assert found == [("./caudal archive", "6 ficheros", [], 6, home.rows().total())]
    assert home.rows().total() == sum(
        len(facturas.lines_of(d)) for text in facturas.files(6, 4).values() for d in text.splitlines()
    )


def test_a_query_is_told_as_a_table_bars_and_a_picture(spark: Any, tmp_path: Path) -> None:
    said: list[str] = []
    found = run(spark, tmp_path, "caso2_monitorizacion", said.append)
    assert (found["batches"], found["rows"]) == (list(range(6)), [50] * 6)
    assert found["last"]["name"] == "facturas"
    assert Path(found["picture"]).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert {"Generate", "Project", "FileScan"} <= set(found["plan"])
    assert len([line for line in said if "█" in line]) == 6


def test_operators_of_a_plan_are_its_first_words() -> None:
    plan = [
        "== Physical Plan ==",
        "*(2) Project [a#1]",
        "+- Generate explode(b#2), [a#1]",
        "   +- *(1) Filter isnotnull(a#1)",
        "      +- FileScan json [a#1]",
    ]
    assert operators(plan) == ["Project", "Generate", "Filter", "FileScan"]
