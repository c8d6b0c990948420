"""Housekeeping over many streams, on homes written by hand. A stream that is busy, refuses or is broken never
stops the others."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from include import streams
from include.housekeeping import cleaning, sweep
from include.housekeeping.generations import retire
from include.housekeeping.sweep import Outcome
from include.state import generations, journal, lease
from include.state.journal import Operation, Step
from jobs.contract.disk import storage
from jobs.contract.errors import LeaseHeld
from jobs.contract.run import spec
from jobs.contract.stream import Stream, Upkeep
from tests.include.housekeeping.handmade import NOW, STREAM, Hand

SMALL = replace(STREAM, upkeep=Upkeep(batches=1))
OWNER = lease.Owner(os.getpid(), "r-1", NOW.isoformat(), "a test")


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    """Two batches, committed and published, their files still in en_proceso."""
    made = Hand(tmp_path / "home")
    for content in (b'{"a":1}\n', b'{"a":2}\n'):
        made.batch(made.admit(content))
    return made


def registry(monkeypatch: pytest.MonkeyPatch, *rows: Stream) -> None:
    monkeypatch.setattr(streams, "collect", lambda: ({row.name: row for row in rows}, ()))


def kept(found: list[Outcome]) -> list[tuple[str, str, str]]:
    return [(one.stream, one.verb, one.state) for one in found]


def tree(hand: Hand) -> list[str]:
    return sorted(
        str(path.relative_to(hand.path))
        for path in hand.path.rglob("*")
        if path.is_file() and path.suffix not in (".lease", ".publish")
    )


def test_a_dry_run_moves_nothing_and_the_real_one_does_what_it_listed(hand: Hand) -> None:
    before = tree(hand)
    planned = sweep.archived(hand.settings, STREAM, NOW, 0, dry_run=True)
    assert (planned.state, planned.size_bytes, tree(hand)) == ("planned", 16, before)
    assert planned.plan is not None
    moves = [(step.source, step.target) for step in planned.plan.steps]
    done = sweep.archived(hand.settings, STREAM, NOW, 0, dry_run=False)
    assert (done.state, done.size_bytes, len(moves)) == ("done", 16, 2)
    assert all(
        not (hand.path / source).exists() and (hand.path / target).is_file() for source, target in moves
    )
    assert sweep.archived(hand.settings, STREAM, NOW, 0, dry_run=False).state == "nothing"


def test_run_folders_past_their_days_are_removed_but_the_newest_fifty(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry(monkeypatch, replace(STREAM, upkeep=Upkeep(runs_days=10)))
    runs = hand.layout.runs(STREAM.name)
    ages = [20] * 3 + [11] * 40 + [9] * 12  # of 55 the newest 50 stay
    ids = [spec.new_run_id(NOW - timedelta(days=days, seconds=-number)) for number, days in enumerate(ages)]
    for run_id in [*ids, "notes"]:
        (runs / run_id).mkdir(parents=True)
        (runs / run_id / "report.json").write_text("{}")
    for dry_run, state in ((True, "planned"), (False, "done")):
        (found,) = [one for one in cleaning.clean(hand.settings, NOW, 7, dry_run) if one.verb == "old runs"]
        assert (found.state, found.size_bytes, found.what) == (state, 10, "5 run folders, older than 10 days")
        assert len(list(runs.iterdir())) == (56 if dry_run else 51)
    assert {path.name for path in runs.iterdir()} == {*ids[5:], "notes"}
    assert not any(one.verb == "old runs" for one in cleaning.clean(hand.settings, NOW, 7, False))


def test_a_held_lease_is_told_and_nothing_is_touched(hand: Hand) -> None:
    before = tree(hand)
    with lease.acquire(hand.layout, "s", OWNER):
        found = sweep.archived(hand.settings, STREAM, NOW, 0, dry_run=False)
    assert found.state == "held" and f"pid {os.getpid()}" in found.what
    assert tree(hand) == before


def test_a_file_that_changed_is_a_failure_by_name_and_the_others_are_archived(hand: Hand) -> None:
    first = sorted(path for path in hand.here.iterdir() if path.is_file())[0]
    first.write_bytes(b"longer than it was\n")
    found = sweep.archived(hand.settings, STREAM, NOW, 0, dry_run=False)
    assert (
        found.state == "failed"
        and first.name in found.what
        and found.error is not None
        and found.error.code == "file-changed"
    )
    assert [path.name for path in hand.here.iterdir() if path.is_file()] == [first.name]


def test_a_held_lease_is_waited_for_only_so_long(hand: Hand) -> None:
    tries: list[float] = []

    def held() -> None:
        raise LeaseHeld("busy", "s")

    with pytest.raises(LeaseHeld):
        sweep.waited(held, 0.0, tries.append)
    assert tries == []
    answers = [held, lambda: None]
    sweep.waited(lambda: answers.pop(0)(), 60.0, tries.append)
    assert tries == [2.0]


def test_only_what_has_outgrown_its_row_gets_a_new_generation_and_a_second_cleaning_none(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry(monkeypatch, STREAM)
    found = list(cleaning.clean(hand.settings, NOW, 7, dry_run=False))
    assert ("s", "rollover", "nothing") in kept(found)
    assert generations.numbers(hand.layout, "s") == [1]

    registry(monkeypatch, SMALL)
    before = tree(hand)
    assert ("s", "rollover", "planned") in kept(list(cleaning.clean(hand.settings, NOW, 7, dry_run=True)))
    assert tree(hand) == before
    found = list(cleaning.clean(hand.settings, NOW, 7, dry_run=False))
    assert ("s", "rollover", "done") in kept(found)
    assert generations.numbers(hand.layout, "s") == [1, 2]
    assert ("s", "rollover", "nothing") in kept(list(cleaning.clean(hand.settings, NOW, 7, dry_run=False)))
    assert generations.numbers(hand.layout, "s") == [1, 2]


def test_a_rollover_that_would_lose_something_is_refused_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = Hand(tmp_path / "home")
    for number in range(3):
        hand.batch(hand.admit(b'{"a":%d}\n' % number), committed=number < 2)
    registry(monkeypatch, SMALL)
    assert ("s", "rollover", "refused") in kept(list(cleaning.clean(hand.settings, NOW, 7, dry_run=False)))
    assert generations.numbers(hand.layout, "s") == [1]


def test_a_stream_that_is_gone_keeps_its_checkpoint_for_the_grace_time_then_it_is_retired_and_later_purged(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry(monkeypatch)
    changed = retire.gone(hand.layout, set())["s"]
    early = list(cleaning.clean(hand.settings, changed + timedelta(days=6), 7, dry_run=False))
    assert ("s", "retire", "nothing") in kept(early) and hand.checkpoint.is_dir()
    late = list(cleaning.clean(hand.settings, changed + timedelta(days=8), 7, dry_run=False))
    assert ("s", "retire", "done") in kept(late) and not hand.checkpoint.exists()
    assert cleaning.freed_bytes(late) == 0
    last = list(cleaning.clean(hand.settings, changed + timedelta(days=39), 7, dry_run=False))
    assert ("s", "purge", "done") in kept(last) and cleaning.freed_bytes(last) > 0
    assert list(hand.layout.retired("s").iterdir()) == []


def test_a_damaged_checkpoint_fails_by_name_and_the_rest_is_still_cleaned(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry(monkeypatch, SMALL)
    (hand.checkpoint / "metadata").write_bytes(b"")
    found = list(cleaning.clean(hand.settings, NOW, 7, dry_run=False))
    assert ("s", "rollover", "failed") in kept(found)
    assert kept(found)[-1] == (cleaning.HOME, "temporary files", "nothing")


def test_leftovers_go_and_their_bytes_are_counted_but_not_under_a_run(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry(monkeypatch, STREAM)
    half = hand.layout.staging("s") / "gen=0001" / "batch=000000002.r-1" / "part-0"
    torn = hand.layout.entrada("s") / f"{storage.TEMP_PREFIX}{'a' * 16}"
    for path, size in ((half, 100), (torn, 11)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        os.utime(path, (NOW.timestamp() - 90_000,) * 2)
    with lease.acquire(hand.layout, "s", OWNER):
        assert sweep.totals(cleaning._staging(hand.settings, NOW, dry_run=False)) == {"held": 1}
    assert half.is_file()
    found = list(cleaning.clean(hand.settings, NOW, 7, dry_run=False))
    assert cleaning.freed_bytes(found) == 111
    assert not half.exists() and not torn.exists()


def test_an_operation_that_was_cut_short_is_finished_first(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry(monkeypatch, STREAM)
    journal.begin(
        hand.layout.journal("s"),
        Operation("op-1", "archive", 1, "now"),
        [Step(1, "write", target="state/finished", data="y")],
    )
    cleaning_ = list(cleaning.clean(hand.settings, NOW, 7, dry_run=False))
    assert ("s", "purge", "nothing") in kept(cleaning_)
    assert (hand.path / "state" / "finished").read_text() == "y"
    assert journal.open_operations(hand.layout.journal("s")) == []
