"""A series of kills from one seed: deliver, kill a run or a verb in the middle, perhaps cut the power, start
again, compare."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice, repeat
from pathlib import Path
from random import Random
from typing import TypeVar

from include.state import generations
from include.torture import power
from include.torture.runs import STREAM, launcher, verb
from include.torture.world import World
from jobs.contract.commit import checkpoint
from jobs.contract.disk import failpoints

P = TypeVar("P")
RIGHT, REPAIRED, WRONG, MISSED = "right", "right after the named repair", "WRONG", "not reached"
HALF = "half-written batch"
_STARTS = 5  # a run may have several things to finish; one that needs more starts does not recover


@dataclass(frozen=True)
class Point:
    """Where to kill. `verb`: run, or one of housekeeping; `at`: a failpoint (name:hit:victims), HALF, or
    empty for a random time."""

    verb: str
    at: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.at or 'at a random time'}"


@dataclass(frozen=True)
class Outcome:
    """`took`: what the power cut took back. `why`: what is wrong, in words; empty for a right end."""

    number: int
    point: Point
    result: str
    took: tuple[str, ...] = ()
    why: str = ""


def _points(verb: str, places: str) -> Iterator[Point]:
    return (Point(verb, at) for at in places.split())


_DRIVER = ("planned", "staged", "quarantined", "manifest", "published", "committed")
POINTS: tuple[Point, ...] = (
    *_points("run", "claim ledger admitted"),
    *(Point("run", f"{name}:1:self") for name in _DRIVER),
    *(Point("run", f"{name}:1:parent") for name in _DRIVER),
    *_points("run", "staged:1:self+parent manifest:1:self+parent published:1:self+parent"),
    *(Point("run", at) for at in (HALF,) * 3 + ("",) * 6),
    *_points("archive", "intent move:1 move:2 stage steps done"),
    *_points("rollover", "intent move:1 stage:1 stage:2 steps done"),
    *_points("rewind", "intent move:1 move:2 move:3 stage:1 stage:2 stage:3 stage:4 steps done"),
    *_points("reset", "intent move:1 move:2 stage:1 stage:2 stage:3 steps done"),
    *_points("undo", "intent move:1 stage:1 steps done"),
    *_points("retire", "intent move:1 stage:1 steps done"),
    *_points("restore", "intent move:1 steps done"),
    *_points("purge", "intent move:1 stage:1 done"),
)
SHORT: tuple[Point, ...] = (
    *_points("run", "claim ledger admitted planned:1:parent staged:1:self staged:1:parent"),
    *_points("run", "manifest:1:self+parent published:1:self published:1:parent quarantined:1:self"),
    *(Point("run", at) for at in ("committed:1:self", HALF, "")),
    Point("archive", "move:1"),
    Point("rollover", "stage:1"),
    Point("rewind", "move:2"),
    Point("reset", "stage:2"),
    Point("undo", "move:1"),
)
# What is done before a verb is killed, so that it has something to do.
_BEFORE: dict[str, tuple[str, ...]] = {
    "run": (),
    "purge": ("run", "rewind", "run"),
    "undo": ("run", "rollover"),
    "retire": ("run", "rollover"),
    "restore": ("run", "archive"),
}
# `./caudal generation purge` 400 days from now: beyond any retention.
_PURGE = """import sys
from datetime import UTC, datetime, timedelta
from include import settings, streams
from include.housekeeping import apply; from include.housekeeping.generations import purge
config, row, now = settings.load(), streams.get(sys.argv[1]), datetime.now(UTC) + timedelta(days=400)
def plan():
    return purge.due(config, row.name, row.upkeep, now)
due = plan()
if due.steps:
    apply.apply(config, due, plan, now)
"""


def order(points: Sequence[P], dice: Random) -> Iterator[P]:
    """Each of `points` once, in an order from the seed, then more of them at random, without end."""
    return chain(dice.sample(points, len(points)), (dice.choice(points) for _ in repeat(0)))


@dataclass
class Series:
    """One home for all kills. `share`: of the kills that are followed by a power cut. `together`: how many
    kills come one after another, each of a run that would have been the recovery from the kill before."""

    folder: Path
    seed: int
    share: float = 0.3
    together: int = 1
    say: Callable[[str], None] = lambda _: None
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = Random(self.seed)
        self.world = World(self.folder, self.dice, power_cuts=self.share > 0)
        power.begin(self.world.home.settings.home, self.world.record)

    def run(
        self, points: tuple[Point, ...], kills: int, in_time: Callable[[], bool] = lambda: True
    ) -> list[Outcome]:
        """`kills` of `points`, in their `order`. Ends at the first wrong outcome, since what follows proves
        nothing."""
        row: list[Outcome] = []  # kills since the last recovery
        for number, point in enumerate(islice(self._order(points), kills)):
            if row and not self._goes_on(row, point):
                self._settle(row, kills)
                row = []
            if self.wrong or not in_time():
                break
            row.append(self._one(number, point))
        if row:
            self._settle(row, kills)
        if not self.wrong and self.world.rows and (why := self.world.wrong_by_spark()):
            self.outcomes.append(Outcome(len(self.outcomes), Point("read"), WRONG, why=why))
        return self.outcomes

    @property
    def wrong(self) -> bool:
        return any(outcome.result == WRONG for outcome in self.outcomes)

    def _order(self, points: tuple[Point, ...]) -> Iterator[Point]:
        return order(points, self.dice)

    def _goes_on(self, row: list[Outcome], point: Point) -> bool:
        """Whether the run that recovers from the last kill of `row` may be killed at `point`.

        A power cut ends a row, because what it tore may need a repair first; so does a retirement, which is
        undone first.
        """
        last = row[-1]
        return (
            len(row) < self.together
            and point.verb == "run"
            and last.point.verb != "retire"
            and last.result != WRONG
            and not last.took
        )

    def _settle(self, row: list[Outcome], kills: int) -> None:
        """The recovery: how it ends is the outcome of the row's last kill. Reports all kills of the row."""
        last = row[-1]
        if last.result != WRONG:
            repaired, why = self._recover(last.point)
            result = WRONG if why else REPAIRED if repaired else last.result
            last = replace(last, result=result, why=why or last.why)
        for outcome in (*row[:-1], last):
            self.outcomes.append(outcome)
            cut = f", power cut took {len(outcome.took)} things" if outcome.took else ""
            self.say(f"{outcome.number + 1}/{kills} {outcome.point}: {outcome.result}{cut} {outcome.why}")

    def _one(self, number: int, point: Point) -> Outcome:
        """The kill alone. RIGHT says only that its point was reached; `_settle` sees what comes of it."""
        self._deliver(bad=point.at.startswith("quarantined"))
        if why := self._prepare(point):
            return Outcome(number, point, WRONG, why=why)
        reached, out = self._kill(point)
        if not self.world.quiet():
            return Outcome(number, point, WRONG, why="a process of this home outlives the kill")
        took: tuple[str, ...] = ()
        if self.dice.random() < self.share:
            took = tuple(power.cut(self.world.home.settings.home, self.world.record, self.dice))
        if reached:
            return Outcome(number, point, RIGHT, took)
        return Outcome(number, point, MISSED, took, out.strip().rpartition("\n")[2][:200])

    def _prepare(self, point: Point) -> str:
        """Gives the verb something to do: a finished batch, something retired, a new generation or a past
        one. Returns what went wrong meanwhile, in words."""
        if self._has_work(point.verb):
            return ""
        for step in _BEFORE.get(point.verb, ("run",)):
            code, out = self.world.do(launcher() if step == "run" else self._words(Point(step)))
            if code:
                return f"{step} before {point.verb}: {out[-500:]}"
        return ""

    def _has_work(self, verb: str) -> bool:
        """Whether earlier kills have left something for the verb. Then the file just delivered still waits
        when the verb is killed."""
        if verb == "archive":
            return any(self.world.layout.en_proceso(STREAM).glob("*"))
        return verb in ("rollover", "rewind", "reset") and self._newest() >= 0

    def _deliver(self, bad: bool = False) -> None:
        """Delivers at least one new file, unless as many wait as there are names."""
        before = len(self.world.contents)
        while self.world.has_room() and (len(self.world.contents) == before or self.dice.random() < 0.3):
            self.world.deliver(bad)

    def _kill(self, point: Point) -> tuple[bool, str]:
        """(whether something was killed, what was printed)."""
        if point.at in ("", HALF):
            return self.world.kill_half_written() if point.at else self.world.kill_at_random(), ""
        assert point.at.partition(":")[0] in failpoints.NAMES
        code, out = self.world.do(launcher() if point.verb == "run" else self._words(point), point.at)
        return (code != 0 and "Traceback" not in out) if point.verb == "run" else code == -signal.SIGKILL, out

    def _words(self, point: Point) -> list[str]:
        """The command of a housekeeping verb."""
        match point.verb:
            case "purge":
                return [sys.executable, "-c", _PURGE, STREAM]
            case "archive":
                return verb("archive", STREAM, "--apply")
            case "restore":
                return verb("restore", STREAM, "--batch", str(self._newest()), "--apply")
            case "rewind":
                more = ["--to-batch", str(self._newest() - 1)]
            case "retire":
                more = ["--generation", str(min(self._live()))]
            case _:
                more = []
        return verb("generation", point.verb, STREAM, *more, "--apply")

    def _live(self) -> list[int]:
        return generations.live(self.world.layout, STREAM)

    def _newest(self) -> int:
        """The newest planned batch of the current generation; -1 for none."""
        if not (current := generations.current(self.world.layout, STREAM)):
            return -1
        return checkpoint.read(self.world.layout.checkpoint(STREAM, current.number)).newest_offset

    def _recover(self, point: Point) -> tuple[bool, str]:
        """Runs until a run ends right. Returns whether a file had to be removed because an error named it,
        and what is wrong."""
        repaired = False
        for _ in range(_STARTS):
            code, out = self.world.do(launcher())
            if code == 0 and point.verb == "retire":
                code, out = self.world.do(verb("generation", "undo", STREAM, "--apply"))
            if code == 0:
                return repaired, "; ".join(self.world.faults())
            if not self.world.home.repair():
                return repaired, f"exit {code}: {out.strip()[-600:]}"
            repaired = True
        return repaired, f"not right after {_STARTS} starts"
