"""Every verb, cut off at every journal write, stage and move. The next run finishes it, and each row is there
once."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from include.housekeeping.generations import purge, reset, retire, rewind, rollover, undo
from include.housekeeping.plan import Plan
from jobs.contract.disk import failpoints
from jobs.contract.errors import Refused
from jobs.contract.stream import Upkeep
from tests.include.housekeeping.homes import Home, kept
from tests.matrix import long

pytestmark = [pytest.mark.spark, pytest.mark.slow]
Verb = Callable[[Home], Plan]
ROWS = Counter({"1-0": 1, "2-0": 1, "3-0": 1})


class Cut(BaseException):
    """Stands for SIGKILL: nothing catches it. Real kills are in test_rewind and in the torture."""


@contextmanager
def cut_at(count: int) -> Iterator[list[str]]:
    """Stops at the count-th failpoint of any name; gives the names that were passed."""
    passed: list[str] = []

    def hit(name: str) -> None:
        passed.append(name)
        if len(passed) == count:
            raise Cut(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(failpoints, "hit", hit)
        yield passed


def do_rollover(home: Home) -> Plan:
    return rollover.plan(home.settings, home.stream, home.now)


def do_reset(home: Home) -> Plan:
    return reset.plan(home.settings, home.stream, home.now)


def do_rewind(home: Home) -> Plan:
    return rewind.plan(home.settings, home.stream, home.now, to_batch=0)


def do_retire(home: Home) -> Plan:
    return retire.plan(home.settings, home.stream, home.now, generation=1)


def do_undo(home: Home) -> Plan:
    return undo.plan(home.settings, home.name, home.now)


def do_purge(home: Home) -> Plan:
    return purge.plan(
        home.settings, home.name, Upkeep(archive_days=1, retired_days=1), home.now + timedelta(days=2)
    )


@kept
def before_reset(home: Home) -> None:
    """Generation 1 (row 1, a refused record), generation 2 (rows 2 and 3 in two batches; one file
    archived)."""
    home.put("a", 1, bad=1)
    home.run()
    home.apply(lambda: do_rollover(home))
    home.put("b", 2)
    home.run()
    home.archive()
    home.put("c", 3, bad=1)
    home.run()


def before_undo(home: Home) -> None:
    before_reset(home)
    home.tick()
    home.apply(lambda: do_reset(home))


def before_purge(home: Home) -> None:
    before_reset(home)
    home.tick()
    home.apply(lambda: do_rewind(home))
    home.run()


CASES: dict[str, tuple[Callable[[Home], None], Verb, Counter[str], int]] = {
    "rollover": (before_reset, do_rollover, ROWS, 2),
    "reset": (before_reset, do_reset, ROWS, 2),
    "rewind": (before_reset, do_rewind, ROWS, 2),
    "retire": (before_reset, do_retire, Counter({"2-0": 1, "3-0": 1}), 1),
    "undo": (before_undo, do_undo, ROWS, 2),
    "purge": (before_purge, do_purge, ROWS, 2),
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("every", [12, long(1)])  # of the places where it may be cut off, from the first on
def test_cut_off_anywhere_the_next_run_finishes_it(
    home: Home, name: str, every: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    prepare, verb, rows, quarantined = CASES[name]
    prepare(home)
    kept = tmp_path_factory.mktemp("before") / "home"
    shutil.copytree(home.settings.home, kept)
    planned, count = verb(home), 1
    while True:
        with cut_at(count) as passed:
            try:
                home.apply(lambda: verb(home))
            except Cut:
                pass
            else:
                break
        home.run()
        assert home.rows() == rows, (count, passed)
        assert home.quarantined().total() == quarantined, (count, passed)
        assert all(o.finished for o in home.operations()), (count, passed)
        home.put("again", 9)
        home.run()
        assert home.rows() == rows + Counter(["9-0"]), (count, passed)
        shutil.rmtree(home.settings.home)
        shutil.copytree(kept, home.settings.home)
        count += every
    stages = {step.stage for step in planned.steps}
    assert passed.count("stage") == len(stages)
    assert count > len(planned.steps), "fewer cuts than steps"


def test_while_a_verb_is_cut_short_no_other_is_planned(home: Home) -> None:
    before_reset(home)
    with cut_at(4), pytest.raises(Cut):
        home.apply(lambda: do_reset(home))
    with pytest.raises(
        Refused, match=f"reset .* was cut short and comes first.*./caudal run {home.name} finishes it"
    ):
        do_reset(home)
    home.run()
    assert home.rows() == ROWS
