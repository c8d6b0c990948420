"""Actividad 4 with dates, as streams: refused records, days that are over, each person's highest bizum a
day."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include import streams
from include.samples import bizums, put, temperaturas
from include.samples.temperaturas import Windows
from include.torture.runs import multiset
from tests.integration import here

pytestmark = [pytest.mark.spark, pytest.mark.slow]
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def reading(line: str) -> str:
    """A bizum as a reading, which the plain reference of windows takes: who sent how much, and when."""
    name, amount, _, sent = line.split(";")
    return temperaturas.reading(
        bizums.person(name), float(amount), round(datetime.fromisoformat(sent).timestamp() * 1000)
    )


def days(windows: Windows, lines: list[str], close: bool) -> Counter[str]:
    found = windows.run(map(reading, lines), close)
    return multiset(
        {"Dia": row["inicio"][:10], "Persona": row["sensor"], "Maximo": row["maxima"]} for row in found
    )


def test_days_come_out_once_when_they_are_over_over_three_runs_and_a_fourth_finds_nothing(
    spark: Any, tmp_path: Path
) -> None:
    dated, daily = (here.Home.on(spark, tmp_path, name) for name in ("bizums_fechados", "bizums_por_dia"))
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = list(bizums.dated_lines(240, 7, today - timedelta(days=4), days=4))
    refused = {
        "Noa;12;Cine;mañana": "malformed",
        "Noa;12;Cine": "malformed",
        ";3;Cine;2026-01-01T00:00:00Z": "no-name",
        "Noa;3;Cine;": "no-date",
        "Noa;0;Cine;2026-01-01T00:00:00Z": "no-amount",
        f"Noa;12;Cine;{datetime.now(UTC) + timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}": "event-time",
    }
    windows, expected = Windows(DAY_MS, DAY_MS, 6 * HOUR_MS), Counter[str]()
    for number, part in enumerate((lines[:150], lines[150:], lines[:5])):  # the last come days too late
        given = [*part, *refused] if number == 0 else part
        put.lines(dated.settings, streams.get("bizums_fechados"), f"{number}.csv", given)
        daily.close = number == 1
        for home in (dated, daily):
            code, out = home.run()
            assert code == 0, out
        assert dated.report().quarantined == (len(refused) if number == 0 else 0)
        expected += days(windows, part, daily.close)
        assert daily.rows() == expected
    kept = (dated.settings.layout.data / "cuarentena/bizums_fechados/registros").glob("gen=*/batch=*/part-*")
    found = [json.loads(line) for part in kept for line in part.read_text(encoding="utf-8").splitlines()]
    assert {record["raw"]: record["reason"] for record in found} == refused
    assert daily.report().rows_out == 0
    assert 0 < daily.report().dropped_late <= windows.late  # Spark counts them by person and day
    assert {
        (row["Dia"], row["Persona"]): row["Maximo"] for row in map(json.loads, expected)
    } == bizums.highest_by_day(lines)
    daily.close = False
    assert (daily.run()[0], daily.report().status) == (0, "idle")
