"""The reference of windows is checked by hand here: everything else is compared with it."""

from __future__ import annotations

import json

from include.samples import temperaturas
from include.samples.temperaturas import Windows, iso, reading

START_MS = 1_764_064_800_000  # 2025-11-25 10:00:00 UTC
MINUTE_MS = 60_000


def at(minute: float, temperature: float, sensor: str = "a") -> str:
    return reading(sensor, temperature, START_MS + round(minute * MINUTE_MS))


def test_the_same_seed_gives_the_same_readings_and_another_seed_others() -> None:
    first = list(temperaturas.documents(50, 3, START_MS))
    assert first == list(temperaturas.documents(50, 3, START_MS))
    assert first != list(temperaturas.documents(50, 4, START_MS))
    assert all(json.loads(d)["momento"] <= iso(START_MS + 50 * temperaturas.MOST_STEP_MS) for d in first)


def test_a_reading_counts_in_three_windows_and_a_window_comes_when_the_watermark_has_passed_it() -> None:
    made = Windows(15 * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS)
    rows = made.run([at(1, 20.0), at(6, 22.0), at(21, 10.0)])
    assert [(r["inicio"][11:16], r["fin"][11:16], r["maxima"], r["media"], r["lecturas"]) for r in rows] == [
        ("09:50", "10:05", 20.0, 20.0, 1),
        ("09:55", "10:10", 22.0, 21.0, 2),
    ]
    assert made.watermark_ms == START_MS + 11 * MINUTE_MS
    assert made.run([at(9, 99.0)]) == []
    assert made.late == 1
    assert [r["maxima"] for r in made.run([at(26, 1.0)])] == [99.0]


def test_closing_gives_all_that_is_open_and_makes_later_readings_of_it_late() -> None:
    made = Windows(5 * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS)
    assert [r["maxima"] for r in made.run([at(1, 20.0), at(6, 22.0)], close=True)] == [20.0, 22.0]
    assert (made.watermark_ms, made.open) == (START_MS + 10 * MINUTE_MS, {})
    assert made.run([at(7, 30.0), at(11, 3.0)], close=True)[0]["maxima"] == 3.0
    assert made.late == 1


def test_totals_are_those_of_the_windows() -> None:
    assert temperaturas.totals_of([at(1, 20.0), at(6, 22.0, "b")]) == {
        "readings": 2,
        "out_of_order": 0,
        "windows_of_15_minutes": 6,
        "maxima_of_5_minutes": 2,
        "highest": 22.0,
    }
