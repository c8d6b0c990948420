"""SIGKILL while files are archived and restored, at every failpoint and at every change on disk; then redo.
Every file is in exactly one place, whole, with its mtime, and the journal is closed."""

from __future__ import annotations

import random
import sys
from functools import partial
from pathlib import Path

import pytest

from include.housekeeping import engine
from include.housekeeping.files import archive, restore
from include.housekeeping.files.restore import Asked
from include.state import journal
from jobs.contract.disk import ledger
from tests.include.housekeeping.handmade import DAY, NOW, STREAM, Hand
from tests.include.killing import MODES, Arm, at_change, at_failpoint, killed, memory, use
from tests.matrix import seeded

__all__ = ["memory"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks a process a kill")
CONTENTS = (b"1\n", b"\x00\xff\n" * 1000, b"3\n", b"4\n")


def home(path: Path) -> tuple[Hand, list[str]]:
    """Three committed files, and one of an open batch."""
    hand = Hand(path)
    names = hand.admit(*CONTENTS)
    hand.batch(names[:2])
    hand.batch(names[2:3])
    hand.batch(names[3:], committed=False)
    return hand, names


def check(hand: Hand, names: list[str], kind: str, at: object) -> None:
    """After redo, a begun operation is done whole, an operation that was not begun has moved nothing, and no
    file is doubled, lost or changed."""
    engine.redo(hand.layout, "s", NOW)
    assert journal.open_operations(hand.layout.journal("s")) == [], at
    begun = bool(journal.operations(hand.layout.journal("s"), "kind = ?", (kind,)))
    moved = f"archivo/s/{DAY}" if begun == (kind == "archive") else "en_proceso/s"
    assert hand.places() == {**{name: [moved] for name in names[:3]}, names[3]: ["en_proceso/s"]}, at
    for number, name in enumerate(names):
        path = hand.layout.data / hand.places()[name][0] / name
        assert path.read_bytes() == CONTENTS[number], at
        with ledger.reader(hand.layout.ledger("s")) as db:
            [entry] = ledger.select(db, "name", [name])
        assert path.stat().st_mtime_ns == entry.mtime_ms * 1_000_000, at


def sweep(hand: Hand) -> None:
    archive.sweep(hand.settings, STREAM, NOW)


def bring_back(hand: Hand) -> None:
    asked = Asked(day=DAY)
    restore.apply(hand.settings, STREAM, restore.plan(hand.settings, STREAM, NOW, asked), NOW, asked)


def archived_at(path: Path, mode: str, arm: Arm) -> bool:
    """One archiving that is killed; then redo, and one that is not."""
    hand, names = home(path)
    died = killed(partial(sweep, hand), partial(use, mode, "en_proceso"), arm)
    check(hand, names, "archive", (mode, path.name))
    sweep(hand)
    assert {hand.places()[name][0] for name in names[:3]} == {f"archivo/s/{DAY}"}
    return died


def restored_at(path: Path, mode: str, arm: Arm) -> bool:
    hand, names = home(path)
    sweep(hand)
    died = killed(partial(bring_back, hand), partial(use, mode, "archivo"), arm)
    check(hand, names, "restore", (mode, path.name))
    return died


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("point", ["intent", "move", "stage", "steps", "done"])
def test_killed_at_a_failpoint_while_archiving(memory: Path, mode: str, point: str) -> None:
    hits = 0
    while archived_at(memory / f"{point}{hits}", mode, at_failpoint(point, hits + 1)):
        hits += 1
    assert hits == (3 if point == "move" else 1), (
        f"{point} was reached {hits} times: three files move, each thing else happens once"
    )


@pytest.mark.parametrize("point", ["intent", "move", "stage", "steps", "done"])
def test_killed_at_a_failpoint_while_restoring(memory: Path, point: str) -> None:
    hits = 0
    while restored_at(memory / f"{point}{hits}", "rename", at_failpoint(point, hits + 1)):
        hits += 1
    assert hits == (3 if point == "move" else 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "mode"), seeded([(way, mode) for way in (archived_at, restored_at) for mode in MODES], 2)
)
def test_killed_at_any_change_of_the_disk(memory: Path, mode: str, way: object) -> None:
    step = 1
    while way(memory / str(step), mode, at_change(step)):  # type: ignore[operator]
        step += 1
    assert step > 20, "fewer points than three moves and a journal have: they are not in place"


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_killed_again_while_it_finishes_what_was_cut_short(memory: Path, mode: str) -> None:
    dice = random.Random(7)
    for number in range(25):
        hand, names = home(memory / str(number))
        steps = dice.randrange(15, 45), dice.randrange(1, 25), dice.randrange(1, 25)
        killed(partial(sweep, hand), partial(use, mode, "en_proceso"), at_change(steps[0]))
        for step in steps[1:]:
            killed(
                partial(engine.redo, hand.layout, "s", NOW), partial(use, mode, "en_proceso"), at_change(step)
            )
        check(hand, names, "archive", (mode, steps))
