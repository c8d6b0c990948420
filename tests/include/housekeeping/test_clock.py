"""A clock that jumps hours forward or years back. Files, batches and housekeeping keep the order in which
they came, and nothing is lost or repeated."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from include import intake
from include.housekeeping.generations import reset, rewind, rollover
from jobs.contract.run import report
from tests.include.housekeeping.homes import Home, invoice

pytestmark = [pytest.mark.spark, pytest.mark.slow]
CLOCKS = (
    datetime(2026, 11, 24, 8, tzinfo=UTC),
    datetime(2001, 1, 1, tzinfo=UTC),
    datetime(2040, 6, 1, tzinfo=UTC),
    datetime(2026, 11, 24, 7, tzinfo=UTC),
)


def deliver(home: Home, number: int) -> None:
    folder = home.layout.entrada(home.stream.folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "f.json").write_text(f"{invoice(number)}\n", encoding="utf-8")
    intake.admit(home.layout, home.stream, home.now.timestamp, lambda _: None)


def test_files_and_batches_go_on_whatever_the_clock_says(home: Home) -> None:
    for number, home.now in enumerate(CLOCKS):
        deliver(home, number)
        assert home.run() == 1, number
        home.archive()
        assert home.rows() == Counter(f"{n}-0" for n in range(number + 1))
    assert home.files(home.layout.archivo(home.stream.folder)) == ["f.json"] * len(CLOCKS)
    assert home.run() == 0


def test_generations_begun_before_their_predecessor_are_read_right(home: Home) -> None:
    deliver(home, 1)
    home.run()
    home.now = CLOCKS[1]
    home.apply(lambda: rollover.plan(home.settings, home.stream, home.now))
    deliver(home, 2)
    home.run()
    home.now = CLOCKS[2]
    home.apply(lambda: rewind.plan(home.settings, home.stream, home.now, to_batch=-1))
    home.run()
    assert home.rows() == Counter(("1-0", "2-0"))
    home.now = CLOCKS[3]
    home.apply(lambda: reset.plan(home.settings, home.stream, home.now))
    home.run()
    assert home.rows() == Counter(("1-0", "2-0"))
    assert home.generation == 3
    assert sum(1 for _ in report.newest(home.layout.runs(home.name))) == 4
