"""SIGKILL before and after every storage call of an intake, then a restart. Every file is in one place,
whole, with one row."""

from __future__ import annotations

import gzip
import random
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.include import killing
from tests.include.intake.home import OLD_NS, Home
from tests.include.killing import MODES, memory
from tests.matrix import seeded

__all__ = ["memory"]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="forks a process a kill")]

A, B, C = b'{"a":1}\n{"a":2}\n', gzip.compress(b"x\ny\n", mtime=0), b"third"
OLD = b"admitted in an earlier run\n"


def prepare(home: Home) -> Counter[bytes]:
    """An earlier version has admitted one file, under a name that Spark skips. Then six files are delivered,
    of which three are refused. Returns what must be somewhere in the end."""
    home.deliver("old.json", OLD)
    (entry,) = home.admit().admitted
    skipped = f"{entry.name}._COPYING_"
    (home.layout.en_proceso("s") / entry.name).rename(home.layout.en_proceso("s") / skipped)
    with closing(sqlite3.connect(home.layout.ledger("s"))) as db, db:
        db.execute("UPDATE entry SET name = ?", (skipped,))
    files = {"a.json": A, "b.json.gz": B, "c [x]*.json": C, "same as a": A, "empty": b"", "old again": OLD}
    for number, (name, data) in enumerate(files.items()):
        home.deliver(name, data, OLD_NS + number)
    return Counter([OLD, *files.values()])


def killed(home: Home, mode: str, step: int) -> bool:
    """Kills one admit at `step`; False if it ended before."""
    return killing.killed(home.admit, lambda: killing.use(mode, "entrada"), killing.at_change(step))


def check(home: Home, expected: Counter[bytes], at: object) -> None:
    """One more admit in this process, then nothing is missing, doubled, half or without its row."""
    home.admit()
    assert home.everywhere() == expected, at
    assert sorted(home.visible().values()) == sorted([OLD, A, B, C]), at
    assert sorted(home.refused().values()) == sorted([OLD, A, b""]), at
    assert not any(home.layout.claims("s").iterdir()), at
    assert not any(name.endswith("._COPYING_") for name in home.visible()), at
    rows = home.rows()
    assert [name for name, *_ in rows] == sorted(home.visible()), at
    assert {finished for *_, finished in rows} == {1}, at
    assert sorted(records for _, records, *_ in rows) == [1, 1, 2, 2], at
    assert {mtime for _, _, mtime, *_ in rows[1:]} <= {OLD_NS + n for n in range(6)}, at
    mtimes = [mtime for *_, mtime, _ in rows]
    assert mtimes == sorted(set(mtimes)), at
    assert [p.stat().st_mtime_ns for p in sorted(home.layout.en_proceso("s").glob("0*"))] == [
        m * 1_000_000 for m in mtimes
    ], at
    again = home.admit()
    assert (again.admitted, again.refused, again.waiting) == ((), (), ()), at


@pytest.mark.parametrize("mode", seeded(MODES, 1))
def test_killed_at_any_step_and_restarted_every_file_is_once_somewhere(memory: Path, mode: str) -> None:
    step, alive = 0, True
    while alive:
        step += 1
        home = Home(memory / str(step))
        expected = prepare(home)
        alive = killed(home, mode, step)
        check(home, expected, (mode, step))
    assert step > 60, "fewer steps than an intake of six files has: the kill points are not in place"


@pytest.mark.parametrize("mode", seeded(MODES, 1))
def test_killed_twice_the_second_time_while_it_mends_the_first(memory: Path, mode: str) -> None:
    dice = random.Random(7)
    for number in range(20):
        home = Home(memory / str(number))
        expected = prepare(home)
        steps = dice.randrange(1, 90), dice.randrange(1, 50)
        for step in steps:
            killed(home, mode, step)
        check(home, expected, (mode, steps))
