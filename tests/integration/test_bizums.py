"""The stream bizums: the rows that `./caudal sample` names come out once, and the other records are
refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from include import streams
from include.samples import bizums, kinds, put
from tests.integration import here

COUNT, SEED = 300, 5
pytestmark = [pytest.mark.spark, pytest.mark.slow]


def test_the_rows_are_those_the_sample_names_and_a_second_run_finds_nothing(
    spark: Any, tmp_path: Path
) -> None:
    home = here.Home.on(spark, tmp_path, "bizums")
    lines, kind = list(bizums.lines(COUNT, SEED)), kinds.KINDS["bizums"]
    put.spread(home.settings, streams.get("bizums"), kind.file.format(SEED), iter(lines), COUNT, 3)
    expected = kind.totals(lines)
    code, out = home.run()
    assert code == 0, out
    parts = home.settings.layout.salida("bizums").glob("gen=*/batch=*/part-*")
    rows = [json.loads(line) for part in parts for line in part.read_text(encoding="utf-8").splitlines()]
    assert (len(rows), round(sum(row["Cantidad"] for row in rows), 2)) == (
        expected["rows"],
        expected["amount"],
    )
    assert {row["Persona"]: 0 for row in rows}.keys() == bizums.highest(lines).keys()
    assert {
        name: max(row["Cantidad"] for row in rows if row["Persona"] == name) for name in bizums.highest(lines)
    } == bizums.highest(lines)
    kept = (home.settings.layout.data / "cuarentena/bizums/registros").glob("gen=*/batch=*/part-*")
    assert sum(len(part.read_text(encoding="utf-8").splitlines()) for part in kept) == expected["refused"] > 0
    assert home.run()[0] == 0
    assert home.report().status == "idle"
