"""Kills of the stream `notificaciones` at named points and random moments, sent to at random, compared after each."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from random import Random

import psutil

from include.housekeeping.generations import reset, rewind, rollover
from include.torture import strangers
from include.torture.runs import python_driver
from include.torture.topic_world import NAME, RUN_S, Broker, World
from jobs.contract.commit import checkpoint
from jobs.contract.deadline import until


@dataclass(frozen=True)
class Point:
    """`at`: a failpoint (name:hit:victims), or "jvm", "driver", "both" at a random moment, or "broker": killed at a random moment, and back."""

    at: str

    def __str__(self) -> str:
        return self.at


POINTS = tuple(
    Point(at)
    for at in (
        "fenced:1:self",
        "fenced:1:parent",
        "claimed:1:self",
        "claimed:1:self+parent",
        "sending:1:self",
        "sending:2:grandparent",
        "sending:2:self+parent+grandparent",
        "token:1:self",
        "token:2:grandparent",
        "token:1:self+grandparent",
        "token:2:self+parent+grandparent",
        "token:3:self+parent+grandparent",
        "unit:1:self",
        "unit:2:grandparent",
        "unit:3:self+grandparent",
        "sent:1:self",
        "sent:1:self+parent",
        "staged:1:parent",
        "manifest:1:self",
        "published:1:self+parent",
        "committed:1:self",
        "jvm",
        "driver",
        "both",
        "jvm",
        "both",
        "broker",
        "broker",
    )
)
SHORT = tuple(Point(at) for at in ("token:2:self+parent+grandparent", "broker"))


@dataclass(frozen=True)
class Outcome:
    """One round. `killed`: where, one run after the other. `happened`: before that. `why`: what is wrong, in words; empty as a rule."""

    killed: tuple[str, ...]
    happened: str
    why: str

    def __str__(self) -> str:
        return f"{self.happened}killed at {', then '.join(self.killed)}: {self.why or 'right'}"


@dataclass
class Series:
    """One home, one broker of its own, and one kill after the other. `say` is told each end; the first wrong end is the last."""

    folder: Path
    seed: int
    say: Callable[[str], None] = lambda _: None
    outcomes: list[Outcome] = field(default_factory=list)
    _kills: int = 0

    def run(
        self, points: tuple[Point, ...], kills: int, in_time: Callable[[], bool] = lambda: True
    ) -> list[Outcome]:
        """Each of `points` once, in an order from the seed, then more of them at random, until `kills` have been made."""
        self.dice, self.broker = Random(self.seed), Broker(self.folder / "broker")
        self.broker.start()
        try:
            self.world = World(self.broker.settings, self.folder)
            order = chain(
                self.dice.sample(points, len(points)), (self.dice.choice(points) for _ in repeat(0))
            )
            while self._kills < kills and not self.wrong and in_time():
                self.outcomes.append(found := self._round(points, next(order), kills))
                self.say(f"{self._kills}/{kills} {found}, {self.world.sent.total()} messages")
            return self.outcomes
        finally:
            self.broker.stop()

    @property
    def wrong(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.why]

    def _round(self, points: tuple[Point, ...], point: Point, kills: int) -> Outcome:
        """Something happens between two runs, one run or two are killed, and the stream is run until a run ends right."""
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
        return Outcome(tuple(map(str, killed)), happened, why or self.world.fault())

    def _change(self) -> str:
        """Now and then a partition more, a rollover, a rewind or a reset. Nothing is open here: the last run ended right."""
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
        """Messages of this generation from `start` on, by their headers."""
        for key, value, headers in list(self.world.read()):
            _, partition, offset = headers["caudal-source"].split("/")
            if headers["caudal-generation"] == str(generation) and int(offset) >= start.get(partition, 0):
                self._more[key, int(value["CustomerCardNo"])] = 1
        self.world.sent += self._more
        self._more.clear()

    _more: Counter[tuple[str, int]] = field(default_factory=Counter)

    def _kill(self, point: Point) -> None:
        self._kills += 1
        if ":" in point.at:
            code, out = self.world.run(point.at)
            assert code != 0 or point.at.split(":")[1] != "1", f"{point} was not reached: {out[-600:]}"
            return
        process = self.world.start()
        until(lambda: process.poll() is not None, self.dice.uniform(3.0, 9.0), 0.01)
        if point.at == "broker":
            self.broker.stop()
            time.sleep(self.dice.uniform(0.5, 4.0))
            self.broker.start()
        else:
            for victim in self._victims(process.pid, point.at):
                victim.kill()
        process.communicate(timeout=RUN_S)

    def _victims(self, pid: int, who: str) -> list[psutil.Process]:
        try:
            jvm = psutil.Process(pid)
        except psutil.Error:
            return []
        driver = python_driver(pid)
        chosen = ([jvm] if who in ("jvm", "both") else []) + (
            [driver] if driver and who in ("driver", "both") else []
        )
        return [process for process in chosen if process.is_running()]
