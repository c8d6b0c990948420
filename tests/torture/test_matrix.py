"""The seeded short versions of `./caudal torture`: each point once, a third of them with a power cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from include.torture.series import HALF, POINTS, RIGHT, SHORT, WRONG, Outcome, Point, Series
from tests.matrix import long

# One kill of each kind: in intake; of the JVM, the driver, and both; of a batch that is half written; of a
# sweep, of
# an operation on a checkpoint and of one on a generation. Tests of jobs/core and include/housekeeping stop
# a run and
# an operation at every step, without a kill.
ONE_OF_EACH = (
    *(Point("run", at) for at in ("ledger", "planned:1:parent", "quarantined:1:self")),
    *(Point("run", at) for at in ("manifest:1:self+parent", HALF)),
    *(Point("archive", "move:1"), Point("rewind", "move:2"), Point("undo", "move:1")),
)


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(900)
@pytest.mark.parametrize("points", [ONE_OF_EACH, long((SHORT,))], ids=len)
def test_a_series_of_kills_loses_and_repeats_nothing(tmp_path: Path, points: tuple[Point, ...]) -> None:
    said: list[str] = []
    outcomes = Series(tmp_path, seed=20261103, share=0.33, together=4, say=said.append).run(
        points, len(points)
    )
    assert [outcome for outcome in outcomes if outcome.result == WRONG] == [], "\n".join(said)
    assert len(outcomes) == len(points)


def test_every_point_of_the_short_series_is_one_of_the_long_one() -> None:
    assert {*ONE_OF_EACH} <= {*SHORT} <= {*POINTS}


class Rehearsed(Series):
    """A series whose kills and recoveries only note that they were called, to see which of them follow each
    other."""

    cut_at: tuple[int, ...] = ()
    wrong_at: int = -1

    def __post_init__(self) -> None:
        self.dice, self.world, self.calls = Random(self.seed), SimpleNamespace(rows=Counter()), list[str]()

    def _order(self, points: tuple[Point, ...]) -> Iterator[Point]:
        return cycle(points)

    def _one(self, number: int, point: Point) -> Outcome:
        self.calls.append(f"{point.verb}{number}")
        return Outcome(
            number,
            point,
            WRONG if number == self.wrong_at else RIGHT,
            ("x",) if number in self.cut_at else (),
        )

    def _recover(self, point: Point) -> tuple[bool, str]:
        self.calls.append("-")
        return False, ""


def calls(tmp_path: Path, points: Point | tuple[Point, ...], kills: int, **more: Any) -> str:
    series = Rehearsed(tmp_path, seed=1, together=3)
    vars(series).update(more)
    series.run(points if isinstance(points, tuple) else (points,), kills)
    return " ".join(series.calls)


def test_kills_of_runs_come_in_rows_behind_one_of_anything_and_a_power_cut_or_a_wrong_end_is_the_last(
    tmp_path: Path,
) -> None:
    run, verb, retire = Point("run", "claim"), Point("rewind", "intent"), Point("retire", "intent")
    assert calls(tmp_path, run, 5) == "run0 run1 run2 - run3 run4 -"
    assert calls(tmp_path, verb, 2) == "rewind0 - rewind1 -"
    assert calls(tmp_path, (verb, run, run), 3) == "rewind0 run1 run2 -"
    assert calls(tmp_path, (run, verb), 2) == "run0 - rewind1 -"
    assert calls(tmp_path, (retire, run), 2) == "retire0 - run1 -"
    assert calls(tmp_path, run, 5, cut_at=(1,)) == "run0 run1 - run2 run3 run4 -"
    assert calls(tmp_path, run, 5, wrong_at=1) == "run0 run1"
