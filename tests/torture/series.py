"""A series of kills from one seed: deliver, kill something in the middle of something, perhaps cut the power, start again, compare."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from random import Random

from include import generations
from jobs.contract import checkpoint, failpoints
from tests.torture import power
from tests.torture.world import STREAM, World, launcher, verb

RIGHT, REPAIRED, WRONG, MISSED = "right", "right after the named repair", "WRONG", "not reached"
HALF = "half-written batch"
_REPAIR = re.compile(r"remove (\S+) and (\S+) there")
_STARTS = 5  # a run may have to finish several things; more than this is no recovery


@dataclass(frozen=True)
class Point:
    """Where to kill. `verb`: run, or one of housekeeping; `at`: a failpoint (name, hit, victims), HALF, or empty: at a random time."""

    verb: str
    at: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.at or 'at a random time'}"


@dataclass(frozen=True)
class Outcome:
    """`took`: what the power cut took back. `why`: what is wrong, in words."""

    number: int
    point: Point
    result: str
    took: tuple[str, ...] = ()
    why: str = ""


_DRIVER = ("planned", "staged", "quarantined", "manifest", "published", "committed")
POINTS: tuple[Point, ...] = (
    *(Point("run", name) for name in ("claim", "ledger", "admitted")),
    *(Point("run", f"{name}:1:self") for name in _DRIVER),
    *(Point("run", f"{name}:1:parent") for name in _DRIVER),
    *(Point("run", f"{name}:1:self+parent") for name in ("staged", "manifest", "published")),
    *(Point("run", at) for at in (HALF,) * 3 + ("",) * 6),
    *(Point("archive", at) for at in ("intent", "move:1", "move:2", "stage", "steps", "done")),
    *(Point("rollover", at) for at in ("intent", "move:1", "stage:1", "stage:2", "steps", "done")),
    *(Point("rewind", at) for at in ("intent", "move:1", "move:2", "move:3", "stage:1", "stage:2", "stage:3", "stage:4", "steps", "done")),
    *(Point("reset", at) for at in ("intent", "move:1", "move:2", "stage:1", "stage:2", "stage:3", "steps", "done")),
    *(Point("undo", at) for at in ("intent", "move:1", "stage:1", "steps", "done")),
    *(Point("retire", at) for at in ("intent", "move:1", "stage:1", "steps", "done")),
    *(Point("restore", at) for at in ("intent", "move:1", "steps", "done")),
    *(Point("purge", at) for at in ("intent", "move:1", "stage:1", "done")),
)
SHORT: tuple[Point, ...] = (
    *(Point("run", at) for at in ("claim", "ledger", "planned:1:parent", "staged:1:self", "manifest:1:self+parent", "published:1:parent")),
    *(Point("run", at) for at in ("quarantined:1:self", "committed:1:self", HALF, "")),
    *(Point("archive", at) for at in ("intent", "move:1")),
    *(Point("rollover", at) for at in ("move:1", "stage:1")),
    *(Point("rewind", at) for at in ("move:2", "stage:3")),
    *(Point(*pair) for pair in (("reset", "stage:2"), ("undo", "move:1"), ("restore", "move:1"), ("purge", "stage:1"))),
)
_BEFORE: dict[str, tuple[str, ...]] = {
    "run": (), "purge": ("run", "rewind", "run"), "undo": ("run", "rollover"), "retire": ("run", "rollover"), "restore": ("run", "archive"),
}  # fmt: skip
_PURGE = """import sys
from datetime import UTC, datetime, timedelta
from include import settings, streams
from include.housekeeping import apply, purge
config, row, now = settings.load(), streams.get(sys.argv[1]), datetime.now(UTC) + timedelta(days=400)
def plan():
    return purge.due(config, row.name, row.upkeep, now)
made = plan()
if made.steps:
    apply.apply(config, made, plan, now)
"""


@dataclass
class Series:
    """`share`: of the kills that are followed by a power cut. One home for all kills; it is kept where something was wrong."""

    folder: Path
    seed: int
    share: float = 0.3
    say: Callable[[str], None] = lambda _: None
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = Random(self.seed)
        self.world = World(self.folder, self.dice, power_cuts=self.share > 0)
        power.begin(self.world.home.settings.home, self.world.record)

    def run(self, points: tuple[Point, ...], kills: int, in_time: Callable[[], bool] = lambda: True) -> list[Outcome]:
        """Each of `points` once, in an order from the seed, then more of them at random. Ends at the first wrong end: what follows proves nothing."""
        for number, point in zip(range(kills), self._order(points), strict=False):
            if not in_time():
                break
            found = self._one(number, point)
            self.outcomes.append(found)
            self.say(f"{number + 1}/{kills} {point}: {found.result}{f', power cut took {len(found.took)} things' if found.took else ''} {found.why}")
            if found.result == WRONG:
                return self.outcomes
        if self.world.rows and (why := self.world.wrong_by_spark()):
            self.outcomes.append(Outcome(len(self.outcomes), Point("read"), WRONG, why=why))
        return self.outcomes

    def _order(self, points: tuple[Point, ...]) -> Iterator[Point]:
        first = self.dice.sample(points, len(points))
        return chain(first, (self.dice.choice(points) for _ in repeat(0)))

    def _one(self, number: int, point: Point) -> Outcome:
        self._deliver(bad=point.at.startswith("quarantined"))
        if why := self._prepare(point):
            return Outcome(number, point, WRONG, why=why)
        reached, out = self._kill(point)
        if not self.world.quiet():
            return Outcome(number, point, WRONG, why="a process of this home outlives the kill")
        took = tuple(power.cut(self.world.home.settings.home, self.world.record, self.dice)) if self.dice.random() < self.share else ()
        repaired, why = self._recover(point)
        result = WRONG if why else REPAIRED if repaired else RIGHT if reached else MISSED
        return Outcome(number, point, result, took, why or ("" if reached else out.strip().rpartition("\n")[2][:200]))

    def _prepare(self, point: Point) -> str:
        """What a verb needs to have something to do: a batch that is done, something retired, a generation that has not begun or is past."""
        for step in _BEFORE.get(point.verb, ("run",)):
            code, out = self.world.do(launcher() if step == "run" else self._words(Point(step)))
            if code:
                return f"{step} before {point.verb}: {out[-500:]}"
        return ""

    def _deliver(self, bad: bool = False) -> None:
        """One new file at least."""
        before = len(self.world.contents)
        while len(self.world.contents) == before or self.dice.random() < 0.3:
            self.world.deliver(bad)

    def _kill(self, point: Point) -> tuple[bool, str]:
        """(whether something was killed, what was printed)."""
        if point.at in ("", HALF):
            return self.world.kill_half_written() if point.at else self.world.kill_at_random(), ""
        assert point.at.partition(":")[0] in failpoints.NAMES
        code, out = self.world.do(launcher() if point.verb == "run" else self._words(point), point.at)
        return (code != 0 and "Traceback" not in out) if point.verb == "run" else code == -signal.SIGKILL, out

    def _words(self, point: Point) -> list[str]:
        if point.verb == "purge":
            return [sys.executable, "-c", _PURGE, STREAM]
        if point.verb in ("archive", "restore"):
            return verb(point.verb, STREAM, *(("--batch", str(self._newest())) if point.verb == "restore" else ()), "--apply")
        more = {"rewind": ("--to-batch", self._newest() - 1), "retire": ("--generation", min(self._live()))}.get(point.verb, ())
        return verb("generation", point.verb, STREAM, *map(str, more), "--apply")

    def _live(self) -> list[int]:
        return generations.live(self.world.layout, STREAM)

    def _newest(self) -> int:
        current = generations.current(self.world.layout, STREAM)
        return checkpoint.read(self.world.layout.checkpoint(STREAM, current.number)).newest_offset if current else 0

    def _recover(self, point: Point) -> tuple[bool, str]:
        """Runs until a run ends right. (whether a file had to be removed as an error said, what is wrong)."""
        repaired = False
        for _ in range(_STARTS):
            code, out = self.world.do(launcher())
            if code == 0 and point.verb == "retire":
                code, out = self.world.do(verb("generation", "undo", STREAM, "--apply"))
            if code == 0:
                return repaired, "; ".join(self.world.faults())
            if not self._repair():
                return repaired, f"exit {code}: {out.strip()[-600:]}"
            repaired = True
        return repaired, f"not right after {_STARTS} starts"

    def _repair(self) -> bool:
        """Does what a checkpoint-damaged error says, word for word."""
        error = self.world.error()
        match = _REPAIR.search(str(error.get("cli", "")))
        if error.get("code") != "checkpoint-damaged" or not match:
            return False
        folder = Path(str(error["where"])).parent
        for name in match.groups():
            (folder / name).unlink(missing_ok=True)
        return True
