"""A series of kills from one seed: deliver, kill something in the middle of something, perhaps cut the power, start again, compare."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice, repeat
from pathlib import Path
from random import Random

from include.state import generations
from include.torture import power
from include.torture.world import STREAM, World, launcher, verb
from jobs.contract.commit import checkpoint
from jobs.contract.disk import failpoints

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
    *(
        Point("rewind", at)
        for at in (
            "intent",
            "move:1",
            "move:2",
            "move:3",
            "stage:1",
            "stage:2",
            "stage:3",
            "stage:4",
            "steps",
            "done",
        )
    ),
    *(
        Point("reset", at)
        for at in ("intent", "move:1", "move:2", "stage:1", "stage:2", "stage:3", "steps", "done")
    ),
    *(Point("undo", at) for at in ("intent", "move:1", "stage:1", "steps", "done")),
    *(Point("retire", at) for at in ("intent", "move:1", "stage:1", "steps", "done")),
    *(Point("restore", at) for at in ("intent", "move:1", "steps", "done")),
    *(Point("purge", at) for at in ("intent", "move:1", "stage:1", "done")),
)
SHORT: tuple[Point, ...] = (
    *(
        Point("run", at)
        for at in ("claim", "ledger", "admitted", "planned:1:parent", "staged:1:self", "staged:1:parent")
    ),
    *(
        Point("run", at)
        for at in (
            "manifest:1:self+parent",
            "published:1:self",
            "published:1:parent",
            "quarantined:1:self",
            "committed:1:self",
        )
    ),
    *(Point("run", at) for at in (HALF, "")),
    *(
        Point(*pair)
        for pair in (
            ("archive", "move:1"),
            ("rollover", "stage:1"),
            ("rewind", "move:2"),
            ("reset", "stage:2"),
            ("undo", "move:1"),
        )
    ),
)
_BEFORE: dict[str, tuple[str, ...]] = {
    "run": (),
    "purge": ("run", "rewind", "run"),
    "undo": ("run", "rollover"),
    "retire": ("run", "rollover"),
    "restore": ("run", "archive"),
}
_PURGE = """import sys
from datetime import UTC, datetime, timedelta
from include import settings, streams
from include.housekeeping import apply; from include.housekeeping.generations import purge
config, row, now = settings.load(), streams.get(sys.argv[1]), datetime.now(UTC) + timedelta(days=400)
def plan():
    return purge.due(config, row.name, row.upkeep, now)
made = plan()
if made.steps:
    apply.apply(config, made, plan, now)
"""


@dataclass
class Series:
    """`share`: of the kills that are followed by a power cut. `together`: kills that come one after another, each of them of a run that would
    have been the recovery from the one before. One home for all kills; it is kept where something was wrong."""

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
        """Each of `points` once, in an order from the seed, then more of them at random. Ends at the first wrong end: what follows proves nothing."""
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
        first = self.dice.sample(points, len(points))
        return chain(first, (self.dice.choice(points) for _ in repeat(0)))

    def _goes_on(self, row: list[Outcome], point: Point) -> bool:
        """Whether the recovery from the last kill of `row`, which is a run, may be killed at `point`. A power cut ends a row: what it tore may need a
        hand first; so does a retirement, which is undone first."""
        last = row[-1]
        return (
            len(row) < self.together
            and point.verb == "run"
            and last.point.verb != "retire"
            and last.result != WRONG
            and not last.took
        )

    def _settle(self, row: list[Outcome], kills: int) -> None:
        """The recovery, whose end is the end of the row's last kill; all of them are said."""
        last = row[-1]
        if last.result != WRONG:
            repaired, why = self._recover(last.point)
            result = WRONG if why else REPAIRED if repaired else last.result
            last = replace(last, result=result, why=why or last.why)
        for found in (*row[:-1], last):
            self.outcomes.append(found)
            cut = f", power cut took {len(found.took)} things" if found.took else ""
            self.say(f"{found.number + 1}/{kills} {found.point}: {found.result}{cut} {found.why}")

    def _one(self, number: int, point: Point) -> Outcome:
        """The kill alone: RIGHT says that it was reached, what comes of it is seen after the recovery."""
        self._deliver(bad=point.at.startswith("quarantined"))
        if why := self._prepare(point):
            return Outcome(number, point, WRONG, why=why)
        reached, out = self._kill(point)
        if not self.world.quiet():
            return Outcome(number, point, WRONG, why="a process of this home outlives the kill")
        took = (
            tuple(power.cut(self.world.home.settings.home, self.world.record, self.dice))
            if self.dice.random() < self.share
            else ()
        )
        return Outcome(
            number,
            point,
            RIGHT if reached else MISSED,
            took,
            "" if reached else out.strip().rpartition("\n")[2][:200],
        )

    def _prepare(self, point: Point) -> str:
        """What a verb needs to have something to do: a batch that is done, something retired, a generation that has not begun or is past."""
        if self._has_work(point.verb):
            return ""
        for step in _BEFORE.get(point.verb, ("run",)):
            code, out = self.world.do(launcher() if step == "run" else self._words(Point(step)))
            if code:
                return f"{step} before {point.verb}: {out[-500:]}"
        return ""

    def _has_work(self, verb: str) -> bool:
        """What the kills before have left may do: then the file just delivered still waits when the verb is killed."""
        if verb == "archive":
            return any(self.world.layout.en_proceso(STREAM).glob("*"))
        return verb in ("rollover", "rewind", "reset") and self._newest() >= 0

    def _deliver(self, bad: bool = False) -> None:
        """One new file at least, unless as many wait as there are names."""
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
        if point.verb == "purge":
            return [sys.executable, "-c", _PURGE, STREAM]
        if point.verb in ("archive", "restore"):
            return verb(
                point.verb,
                STREAM,
                *(("--batch", str(self._newest())) if point.verb == "restore" else ()),
                "--apply",
            )
        more = {
            "rewind": ("--to-batch", self._newest() - 1),
            "retire": ("--generation", min(self._live())),
        }.get(point.verb, ())
        return verb("generation", point.verb, STREAM, *map(str, more), "--apply")

    def _live(self) -> list[int]:
        return generations.live(self.world.layout, STREAM)

    def _newest(self) -> int:
        current = generations.current(self.world.layout, STREAM)
        return (
            checkpoint.read(self.world.layout.checkpoint(STREAM, current.number)).newest_offset
            if current
            else -1
        )

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
