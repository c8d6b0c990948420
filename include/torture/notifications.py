"""Kills of the stream `notificaciones` at named points and random moments; between them its topics and its
home change. Compared after each."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from include.housekeeping.generations import reset, rewind, rollover
from include.torture import strangers
from include.torture.brokers import Broker
from include.torture.runs import ended, kill_run
from include.torture.series import order
from include.torture.topic_world import NAME, RUN_S, TopicWorld
from jobs.contract.commit import checkpoint
from jobs.contract.deadline import until

# A point is a failpoint (name:hit:victims); or "jvm", "driver" or "both", killed at a random moment; or
# "broker", killed at a random moment and started again.
POINTS: tuple[str, ...] = (
    *("fenced:1:self", "fenced:1:parent", "claimed:1:self", "claimed:1:self+parent"),
    *("sending:1:self", "sending:2:grandparent", "sending:2:self+parent+grandparent"),
    *("token:1:self", "token:2:grandparent", "token:1:self+grandparent"),
    *("token:2:self+parent+grandparent", "token:3:self+parent+grandparent"),
    *("unit:1:self", "unit:2:grandparent", "unit:3:self+grandparent"),
    *("sent:1:self", "sent:1:self+parent", "staged:1:parent"),
    *("manifest:1:self", "published:1:self+parent", "committed:1:self"),
    *("jvm", "driver", "both", "jvm", "both", "broker", "broker"),
)
SHORT = ("token:2:self+parent+grandparent", "broker")


@dataclass(frozen=True)
class Outcome:
    """One round. `killed`: the points, one run after the other. `happened`: what changed before. `why`: what
    is wrong, in words; empty for a right end."""

    killed: tuple[str, ...]
    happened: str
    why: str

    def __str__(self) -> str:
        return f"{self.happened}killed at {', then '.join(self.killed)}: {self.why or 'right'}"


@dataclass
class Series:
    """One home, one broker of its own, and one kill after the other. `say` gets each outcome; a wrong one
    ends the series."""

    folder: Path
    seed: int
    say: Callable[[str], None] = lambda _: None
    outcomes: list[Outcome] = field(default_factory=list)
    _kills: int = 0

    def run(
        self, points: tuple[str, ...], kills: int, in_time: Callable[[], bool] = lambda: True
    ) -> list[Outcome]:
        """Kills at `points`, in their `series.order`, until `kills` have been made."""
        self.dice, self.broker = Random(self.seed), Broker(self.folder / "broker")
        self.broker.start()
        try:
            self.world = TopicWorld(self.broker.settings, self.folder)
            following = order(points, self.dice)
            while self._kills < kills and not self.wrong and in_time():
                self.outcomes.append(outcome := self._round(points, next(following), kills))
                self.say(f"{self._kills}/{kills} {outcome}, {self.world.sent.total()} messages")
            return self.outcomes
        finally:
            self.broker.stop()

    @property
    def wrong(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.why]

    def _round(self, points: tuple[str, ...], point: str, kills: int) -> Outcome:
        """Changes something between two runs, kills one run or two, and runs the stream until a run ends
        right."""
        happened = self._change()
        hanging = strangers.leave(self.world, self.dice) if self.dice.random() < 0.3 else None
        happened += str(hanging or "")
        self.world.produce(self.dice.randint(150, 900))
        killed = [point]
        self._kill(point)
        if self.dice.random() < 0.3 and self._kills < kills:
            killed.append(self.dice.choice(points))
            self.world.produce(self.dice.randint(20, 200))  # some for each partition
            self._kill(killed[-1])
        why = self.world.recover()
        if hanging and not why:
            hanging.settle()
            why = self.world.recover()
        return Outcome(tuple(killed), happened, why or self.world.fault())

    def _change(self) -> str:
        """Two times in five another partition, a rollover, a rewind or a reset. Nothing is open here, because
        the last run ended right."""
        chance, world = self.dice.random(), self.world
        if not world.number or chance > 0.4:
            return ""
        if chance < 0.15:
            world.add_partition()
            return "partition added; "
        if chance < 0.27:
            world.do(rollover.plan)
            return "rollover; "
        if chance < 0.34:
            world.do(reset.plan, allow_repeats=True)
            world.again()
            return "reset; "
        return self._rewind()

    def _rewind(self) -> str:
        numbers = sorted(int(p.name[4:]) for p in self.world.settings.layout.checkpoints(NAME).iterdir())
        path = self.world.settings.layout.checkpoint(NAME, numbers[-1])
        newest = checkpoint.read(path).newest_offset
        if newest < 0:
            return ""
        before = self._offsets(path, newest - 1)
        self.world.do(rewind.plan, to_batch=newest - 1, allow_repeats=True)
        self._due_again(before, numbers[-1])
        return "rewind; "

    def _offsets(self, path: Path, batch: int) -> dict[str, int]:
        position = (
            checkpoint.read_offset(path, batch).position
            if batch >= 0
            else checkpoint.initial_kafka_position(path)
        )
        return {p: int(o) for p, o in position.get(self.world.source, {}).items()}

    def _due_again(self, start: dict[str, int], generation: int) -> None:
        """The messages of this generation from the offsets `start` on, known by their headers, are due once
        more."""
        more: Counter[tuple[str, int]] = Counter()
        for key, value, headers in self.world.read():
            _, partition, offset = headers["caudal-source"].split("/")
            if headers["caudal-generation"] == str(generation) and int(offset) >= start.get(partition, 0):
                more[key, int(value["CustomerCardNo"])] = 1
        self.world.sent += more

    def _kill(self, point: str) -> None:
        self._kills += 1
        if ":" in point:
            code, out = self.world.run(point)
            assert code != 0 or point.split(":")[1] != "1", f"{point} was not reached: {out[-600:]}"
            return
        process = self.world.start()
        until(lambda: process.poll() is not None, self.dice.uniform(3.0, 9.0), 0.01)
        if point == "broker":
            self.broker.stop()
            time.sleep(self.dice.uniform(0.5, 4.0))
            self.broker.start()
            ended(process, RUN_S)
        else:
            kill_run(process, point)
