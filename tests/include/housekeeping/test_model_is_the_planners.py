"""The explicit-state model proves something only while its housekeeping does what the real plans do, in the
same order."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from include.housekeeping.generations import reset, retire, rewind, rollover, undo
from include.state import journal
from tests.include.housekeeping.homes import Home
from tests.jobs.contract import model
from tests.jobs.contract.model import Place, State
from tests.jobs.contract.model_housekeeping import Stream

pytestmark = [pytest.mark.spark, pytest.mark.slow]
Word = tuple[str, int]
_WORDS = {
    "output": r"data/salida/\w+/gen=\d+/batch=0*(\d+)$",
    "live": r"data/salida/\w+/gen=0*(\d+)$",
    "quarantine": r"data/cuarentena/\w+/registros/gen=\d+/batch=0*(\d+)$",
    "refused": r"data/cuarentena/\w+/registros/gen=0*(\d+)$",
    "commit": r"data/checkpoints/\w+/gen=\d+/commits/(\d+)$",
    "offset": r"data/checkpoints/\w+/gen=\d+/offsets/(\d+)$",
    "state": r"data/checkpoints/\w+/gen=0*(\d+)$",
    "record": r"state/generations/\w+/gen=0*(\d+)\.json$",
    "file": r"data/en_proceso/\w+/[^/]*-f(\d+)$",
}


def real(steps: Iterable[journal.Step]) -> list[Word]:
    """What each step is about, told by the side of a move that is not in archivo or retirado. A checksum goes
    with its entry."""
    paths = [
        s.target if s.source.startswith(("data/archivo", "data/retirado")) or s.verb == "write" else s.source
        for s in steps
    ]
    return [word for path in paths if not path.endswith(".crc") for word in _words(path)]


def _words(path: str) -> list[Word]:
    found = [
        (kind, int(match[1] or 0)) for kind, pattern in _WORDS.items() if (match := re.match(pattern, path))
    ]
    assert len(found) == 1, path
    return found


def modelled(steps: Iterable[model.Step]) -> list[Word]:
    """Generations count from 1 on disk, from 0 in the model."""
    return [(s.kind, s.number + (s.kind in ("live", "refused", "state", "record"))) for s in steps]


class Both:
    """The same story on disk and in the model. Record n is file fn. The model refuses record 0, so f0 has a
    broken line here."""

    def __init__(self, home: Home) -> None:
        self.home, self.stream, self.records = home, Stream(), 0
        self.state = State((Place.OUTSIDE,) * 4)

    def deliver_and_run(self) -> None:
        self.home.put(f"f{self.records}", self.records, bad=self.records == 0)
        self.home.run()
        self.state = self._last(self.stream.run(self.state.moved(self.records, Place.ENTRADA)))
        self.records += 1

    def archive(self) -> None:
        self.home.archive()
        self.state = self._last(self.stream.archive(self.state))

    def roll_over(self) -> None:
        home = self.home
        home.apply(lambda: rollover.plan(home.settings, home.stream, home.now))
        self.state = self._last(self.stream.rollover(self.state))

    def _last(self, steps: Iterable[State]) -> State:
        *_, last = (self.state, *steps)
        return last


@pytest.fixture
def both(home: Home) -> Both:
    return Both(home)


def test_a_rollover_archives_then_records(both: Both) -> None:
    both.deliver_and_run()
    both.deliver_and_run()
    home = both.home
    steps = real(rollover.plan(home.settings, home.stream, home.now).steps)
    assert (
        steps == modelled(both.stream.rollover_plan(both.state)) == [("file", 0), ("file", 1), ("record", 2)]
    )


@pytest.mark.parametrize("keep", [-1, 0, 1])
def test_a_rewind_brings_files_back_then_takes_outputs_quarantine_commits_offsets(
    both: Both, keep: int
) -> None:
    for _ in range(3):
        both.deliver_and_run()
    both.archive()
    home = both.home
    steps = real(rewind.plan(home.settings, home.stream, home.now, to_batch=keep).steps)
    assert steps == modelled(both.stream.rewind_plan(both.state, keep))
    assert len(steps) == (2 - keep) * 4 + (keep < 0)


def test_a_reset_its_undo_and_a_retirement(both: Both) -> None:
    both.deliver_and_run()
    both.roll_over()
    both.deliver_and_run()
    both.archive()
    home = both.home
    # generation 2 refused nothing, so on disk it has no quarantine to move
    plan = [word for word in modelled(both.stream.reset_plan(both.state)) if word != ("refused", 2)]
    assert real(reset.plan(home.settings, home.stream, home.now).steps) == plan
    (retirement,) = [s for s in both.stream.retire(both.state) if s.journal][:1]
    assert retirement.journal is not None
    assert real(retire.plan(home.settings, home.stream, home.now, generation=1).steps) == modelled(
        retirement.journal[1]
    )
    home.apply(lambda: reset.plan(home.settings, home.stream, home.now))
    assert list(reversed(plan)) == real(undo.plan(home.settings, home.name, home.now).steps)
    after = both._last(both.stream.reset(both.state))
    (taken,) = [s.journal for s in both.stream.undo(after) if s.journal][:1]
    assert taken is not None
    assert [word for word in modelled(taken[1]) if word != ("refused", 2)] == list(reversed(plan))
