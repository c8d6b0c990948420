"""Undo: the tree is as it was, byte for byte. It is refused once something depends on what it would take
back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from include.housekeeping.generations import purge, reset, retire, rewind, rollover, undo
from include.housekeeping.plan import Plan
from include.state import generations
from jobs.contract.disk import failpoints
from jobs.contract.errors import Refused
from jobs.contract.stream import Upkeep
from tests.include.housekeeping.homes import Home, as_promised, files_of, kept, tree
from tests.matrix import seeded

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def plan(home: Home) -> Plan:
    return undo.plan(home.settings, home.name, home.now)


def do_rollover(home: Home) -> Plan:
    return home.apply(lambda: rollover.plan(home.settings, home.stream, home.now))


def do_reset(home: Home) -> Plan:
    return home.apply(lambda: reset.plan(home.settings, home.stream, home.now))


def do_retire(home: Home) -> Plan:
    return home.apply(lambda: retire.plan(home.settings, home.stream, home.now, generation=1))


@kept
def two(home: Home) -> None:
    home.put("a", 1, bad=1)
    home.run()
    do_rollover(home)
    home.put("b", 2)
    home.run()
    home.archive()
    home.put("c", 3)
    home.run()


def without_retired_records(found: dict[str, str]) -> dict[str, str]:
    """The record of the generation that is taken back stays in retirado."""
    return {
        path: content for path, content in files_of(found).items() if not path.startswith("data/retirado/")
    }


@pytest.mark.parametrize("do", [do_rollover, do_reset, do_retire])
def test_undo_brings_back_every_byte(home: Home, do: Callable[[Home], Plan]) -> None:
    two(home)
    before = files_of(tree(home.settings.home))
    done = do(home)
    assert files_of(tree(home.settings.home)) != before
    home.tick()
    made = as_promised(home, lambda: plan(home))
    assert without_retired_records(tree(home.settings.home)) == before
    assert len(made.steps) == len(done.steps)
    assert {o.kind: o.undone_by for o in home.operations()}[done.kind] == made.id
    home.run()
    assert home.rows() == {"1-0": 1, "2-0": 1, "3-0": 1}
    assert home.quarantined().total() == 1


def test_an_undone_operation_is_past_and_the_one_before_is_next(home: Home) -> None:
    two(home)
    do_retire(home)
    home.tick()
    do_rollover(home)
    assert any("rollover" in line for line in plan(home).summary)
    home.apply(lambda: plan(home))
    assert any("retire" in line for line in plan(home).summary)
    home.apply(lambda: plan(home))
    with pytest.raises(Refused, match="generation 2 has begun"):
        plan(home)


def test_a_rollover_after_an_undone_one_takes_its_number_again(home: Home) -> None:
    home.put("a", 1)
    home.run()
    do_rollover(home)
    home.apply(lambda: plan(home))
    assert generations.numbers(home.layout, home.name) == [1]
    do_rollover(home)
    home.put("b", 2)
    home.run()
    assert (home.generation, home.rows()) == (2, {"1-0": 1, "2-0": 1})


@pytest.mark.parametrize("do", [do_rollover, do_reset])
def test_the_first_offsets_of_the_new_generation_end_it(home: Home, do: Callable[[Home], Plan]) -> None:
    home.put("a", 1)
    home.run()
    do(home)
    home.put("b", 2)
    home.run()
    with pytest.raises(Refused, match="generation 2 has begun"):
        plan(home)


def test_what_a_run_left_that_died_before_its_first_offset_goes_with_it(home: Home) -> None:
    """metadata and a source log entry, no offset: a later generation 2 must not find them."""
    home.put("a", 1)
    home.run()
    do_rollover(home)
    home.put("b", 2)
    home.run()
    for part in ("offsets", "commits"):
        for file in (home.checkpoint / part).iterdir():
            file.unlink()
    home.layout.batch(home.name, 2, 0).rename(home.settings.home / "taken")
    as_promised(home, lambda: plan(home))
    assert not home.layout.checkpoint(home.name, 2).exists()
    home.run()
    assert home.rows() == {"1-0": 1, "2-0": 1}


def test_a_rewind_needs_no_undo_and_says_why(home: Home) -> None:
    two(home)
    home.tick()
    home.apply(lambda: rewind.plan(home.settings, home.stream, home.now, to_batch=0))
    with pytest.raises(Refused, match="a run reads the same input again"):
        plan(home)


def test_an_open_operation_comes_first_and_not_the_one_before_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    two(home)
    do_retire(home)
    cut(monkeypatch, "intent")
    with pytest.raises(Cut):
        do_reset(home)
    with pytest.raises(Refused, match=r"reset .* was cut short and comes first"):
        plan(home)


def test_nothing_to_undo(home: Home) -> None:
    with pytest.raises(Refused, match="nothing to undo"):
        plan(home)


def test_what_was_purged_cannot_be_undone_and_the_purge_is_named(home: Home) -> None:
    two(home)
    do_retire(home)
    later = home.now + timedelta(days=31)
    done = home.apply(lambda: purge.plan(home.settings, home.name, Upkeep(), later))
    with pytest.raises(Refused, match=f"purged by {done.id}"):
        plan(home)


def test_a_taken_place_refuses_and_nothing_moves(home: Home) -> None:
    two(home)
    do_retire(home)
    home.layout.output(home.name, 1).mkdir()
    with pytest.raises(Refused, match="something else has this name"):
        plan(home)


@pytest.mark.parametrize(
    "failpoint",
    seeded(["intent", *(f"stage:{n}" for n in range(1, 5)), *(f"move:{n}" for n in range(1, 6)), "steps"], 1),
)
def test_cut_off_anywhere_the_next_run_finishes_it(
    home: Home, failpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    two(home)
    do_reset(home)
    cut(monkeypatch, failpoint)
    with pytest.raises(Cut):
        home.apply(lambda: plan(home))
    monkeypatch.undo()
    home.run()
    assert home.rows() == {"1-0": 1, "2-0": 1, "3-0": 1}
    assert home.quarantined().total() == 1
    assert all(o.finished for o in home.operations())


class Cut(BaseException):
    """Stands for SIGKILL: nothing catches it."""


def cut(patch: pytest.MonkeyPatch, failpoint: str) -> None:
    name, _, count = failpoint.partition(":")
    hits: list[str] = []

    def hit(at: str) -> None:
        hits.append(at)
        if at == name and hits.count(name) == int(count or 1):
            raise Cut(failpoint)

    patch.setattr(failpoints, "hit", hit)
