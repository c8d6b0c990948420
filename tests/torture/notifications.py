"""Kills of the notifications stream: sent at random, killed at named points and random moments, compared through a reader of committed records.

    python -m tests.torture.notifications [--kills 50] [--seed N]
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain, repeat
from pathlib import Path
from random import Random
from typing import Any

import psutil

from include import settings as caudal
from include import streams
from include.housekeeping import apply as housekeeping
from include.housekeeping import reset, rewind, rollover
from include.housekeeping.plan import Plan
from include.kafka import connection, topics
from include.services.ports import Ports
from include.settings import Settings
from jobs.contract import checkpoint, failpoints, librdkafka
from jobs.contract.stream import Topic
from tests.brokers import free_ports, running
from tests.integration.runs import python_driver
from tests.torture import strangers

NAME = "notificaciones"
RUN_S = 600.0  # 5 s on an idle machine; on one that starves, minutes go into Spark's start alone
_STARTS = 4
_KEYS = 40  # they come again and again: their order must hold
# argv: source topic, sink topic, records of a transaction
_LAUNCHER = """import sys
from dataclasses import replace
from include import streams
from include.launch.__main__ import main
from jobs.contract.stream import Topic
row = streams.get("notificaciones")
limits = replace(row.limits, transaction_records=int(sys.argv[3]))
streams.collect()[0][row.name] = replace(row, source=Topic(sys.argv[1]), sink=replace(row.sink, name=sys.argv[2]), limits=limits)
sys.exit(main(["--master", "local[2]", "jobs/notificaciones.py", "--stream", "notificaciones"]))
"""


class Broker:
    """A broker of the test's own, that can be killed and started again on the same data and port."""

    def __init__(self, home: Path, *overrides: str) -> None:
        kafka, controller, airflow = free_ports(3)
        keep = {k: v for k, v in os.environ.items() if not k.startswith("CAUDAL_KAFKA")}
        self.settings = replace(caudal.load(keep | {"CAUDAL_HOME": str(home)}), kafka_bootstrap=f"127.0.0.1:{kafka}")
        self._ports, self._stack, self._overrides = Ports(kafka, controller, airflow), ExitStack(), overrides

    def start(self) -> None:
        self.process = self._stack.enter_context(running(self.settings, self._ports, *self._overrides))

    def stop(self) -> None:
        """kill -9."""
        self._stack.close()


def document(key: str, number: int) -> bytes:
    items = [{"ItemCode": "1", "ItemQty": 1}]
    return json.dumps({"InvoiceNumber": key, "CustomerCardNo": str(number), "TotalAmount": float(number), "InvoiceLineItems": items}).encode()


@dataclass
class World:
    """One home, one source and one sink topic on a broker. `sent`: what a reader must find, a number of (key, number) each time it was due."""

    broker: Settings
    folder: Path
    unit_records: int = 40
    sent: Counter[tuple[str, int]] = field(default_factory=Counter)
    number: int = 0
    partitions: int = 3
    _admin: Any = None

    def __post_init__(self) -> None:
        mark = secrets.token_hex(4)
        environ = {k: v for k, v in os.environ.items() if not k.startswith("CAUDAL_KAFKA")}
        home = {"CAUDAL_HOME": str(self.folder / "home"), "CAUDAL_KAFKA_BOOTSTRAP": str(self.broker.kafka_bootstrap)}
        self.settings = caudal.load(environ | home)
        row = streams.get(NAME)
        assert isinstance(row.sink, Topic)
        limits = replace(row.limits, transaction_records=self.unit_records)
        self.row = replace(row, source=Topic(f"source-{mark}"), sink=replace(row.sink, name=f"sink-{mark}"), limits=limits)
        topics.ensure(self.settings, [self.row])

    @property
    def source(self) -> str:
        return self.row.source.name if isinstance(self.row.source, Topic) else ""

    @property
    def sink(self) -> str:
        return self.row.sink.name if isinstance(self.row.sink, Topic) else ""

    # what goes in

    def produce(self, count: int) -> None:
        """Documents of keys that come again; a key stays on its partition, so that its order means something."""
        from confluent_kafka import Producer

        producer = Producer({**connection.connect(self.settings).librdkafka(), "acks": "all", "enable.idempotence": True})
        librdkafka.meet(producer, self.source)
        for _ in range(count):
            self.number += 1
            partition, slot = self.number % self.partitions, (self.number // self.partitions) % _KEYS
            key = f"{partition}-{slot}"
            producer.produce(self.source, document(key, self.number), key.encode(), partition)
            self.sent[key, self.number] += 1
        assert producer.flush(60) == 0

    def next_document(self, partition: int) -> tuple[tuple[str, int], bytes]:
        """(key, number) and bytes of a document for that partition, which the caller sends; it is due once it is counted in `sent`."""
        self.number += 1
        key = f"{partition}-other"
        return (key, self.number), document(key, self.number)

    def add_partition(self) -> None:
        from confluent_kafka.admin import NewPartitions

        self.partitions += 1
        for future in self.admin().create_partitions([NewPartitions(self.source, self.partitions)]).values():
            future.result(30)

    # what the broker is told

    def admin(self) -> Any:
        from confluent_kafka.admin import AdminClient

        self._admin = self._admin or AdminClient(connection.connect(self.settings).librdkafka())
        return self._admin

    def delete(self, topic: str) -> None:
        for future in self.admin().delete_topics([topic]).values():
            future.result(30)
        until_s = time.monotonic() + 30
        while topic in self.admin().list_topics(timeout=30).topics:
            assert time.monotonic() < until_s, f"{topic} is still there"
            time.sleep(0.05)

    def drop(self, *, before: int, partition: int = 0) -> None:
        """What retention does; -1: all."""
        from confluent_kafka import TopicPartition

        for future in self.admin().delete_records([TopicPartition(self.source, partition, before)]).values():
            future.result(30)

    # runs and verbs

    def start(self, failpoint: str = "") -> subprocess.Popen[str]:
        words = [sys.executable, "-P", "-c", _LAUNCHER, self.source, self.sink, str(self.unit_records)]
        environ = {**self.settings.environ, "PYTHONPATH": str(self.settings.root), "CAUDAL_PYTHON": sys.executable}
        if failpoint:
            environ[failpoints.VARIABLE] = failpoint
        return subprocess.Popen(words, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, failpoint: str = "") -> tuple[int, str]:
        process = self.start(failpoint)
        try:
            out, _ = process.communicate(timeout=RUN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return -1, f"killed by its judge: no end within {RUN_S:.0f} s; {process.communicate()[0]}"
        return process.returncode, out

    def recover(self) -> str:
        """Runs until one ends right; what is wrong, in words."""
        code, out = -1, ""
        for _ in range(_STARTS):
            code, out = self.run()
            if code == 0:
                return ""
        return f"not right after {_STARTS} starts, exit {code}: {out[-1500:]}"

    def do(self, planner: Callable[..., Plan], **options: Any) -> None:
        now = datetime.now(UTC)
        made = planner(self.settings, self.row, now, **options)
        housekeeping.apply(self.settings, made, lambda: planner(self.settings, self.row, now, **options), now)

    def again(self) -> None:
        """Everything is due once more."""
        self.sent += Counter(set(self.sent))

    # what comes out

    def read(self, isolation: str = "read_committed") -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
        """(key, value, headers) of the sink in partition order, through a plain consumer."""
        from confluent_kafka import Consumer, KafkaError, TopicPartition

        plain = {"group.id": "reader", "enable.partition.eof": True, "isolation.level": isolation, "auto.offset.reset": "earliest"}
        consumer = Consumer({**connection.connect(self.settings).librdkafka(), **plain, **librdkafka.QUICK_FETCH})
        try:
            left = set(consumer.list_topics(self.sink, 30).topics[self.sink].partitions)
            consumer.assign([TopicPartition(self.sink, p, 0) for p in left])
            until_s = time.monotonic() + 60
            while left:
                assert time.monotonic() < until_s, f"partitions {left} have no end"
                for m in librdkafka.arrived(consumer, 1000, 0.2):
                    if m.error() is None:
                        yield m.key().decode(), json.loads(m.value()), {k: v.decode() for k, v in m.headers() or []}
                    elif m.error().code() == KafkaError._PARTITION_EOF:
                        left.discard(m.partition())
        finally:
            consumer.close()

    def fault(self) -> str:
        """Empty when each record's message stands as often as it is due, with its value, and each key's first ones in order."""
        found: Counter[tuple[str, int]] = Counter()
        last: dict[str, int] = {}
        for key, value, headers in self.read():
            number = int(value["CustomerCardNo"])
            if value != {"CustomerCardNo": str(number), "TotalAmount": float(number), "EarnedLoyaltyPoints": float(number) * 0.2}:
                return f"value {value}"
            if set(headers) != {"caudal-stream", "caudal-generation", "caudal-source"} or not headers["caudal-source"].startswith(f"{self.source}/"):
                return f"headers {headers}"
            if not found[key, number] and number < last.get(key, 0):
                return f"key {key}: {number} after {last[key]}"
            last[key] = max(number, last.get(key, 0))
            found[key, number] += 1
        lost, many = self.sent - found, found - self.sent
        return f"{lost.total()} lost, {many.total()} too many of {self.sent.total()}" if lost or many else ""


@dataclass(frozen=True)
class Point:
    """`at`: a failpoint (name:hit:victims), or "jvm", "driver", "both" at a random moment, or "broker": killed at a random moment, and back."""

    at: str

    def __str__(self) -> str:
        return self.at


POINTS = tuple(
    Point(at)
    for at in (
        "fenced:1:self", "fenced:1:parent", "claimed:1:self", "claimed:1:self+parent",
        "sending:1:self", "sending:2:grandparent", "sending:2:self+parent+grandparent",
        "token:1:self", "token:2:grandparent", "token:1:self+grandparent", "token:2:self+parent+grandparent", "token:3:self+parent+grandparent",
        "unit:1:self", "unit:2:grandparent", "unit:3:self+grandparent",
        "sent:1:self", "sent:1:self+parent", "staged:1:parent", "manifest:1:self", "published:1:self+parent", "committed:1:self",
        "jvm", "driver", "both", "jvm", "both", "broker", "broker",
    )
)  # fmt: skip
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

    def run(self, points: tuple[Point, ...], kills: int, in_time: Callable[[], bool] = lambda: True) -> list[Outcome]:
        """Each of `points` once, in an order from the seed, then more of them at random, until `kills` have been made."""
        self.dice, self.broker = Random(self.seed), Broker(self.folder / "broker")
        self.broker.start()
        try:
            self.world = World(self.broker.settings, self.folder)
            order = chain(self.dice.sample(points, len(points)), (self.dice.choice(points) for _ in repeat(0)))
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
        position = checkpoint.read_offset(path, batch).position if batch >= 0 else checkpoint.initial_kafka_position(path)
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
        pause_s = self.dice.uniform(3.0, 9.0)
        end_s = time.monotonic() + pause_s
        while time.monotonic() < end_s and process.poll() is None:
            time.sleep(0.01)
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
        chosen = ([jvm] if who in ("jvm", "both") else []) + ([driver] if driver and who in ("driver", "both") else [])
        return [process for process in chosen if process.is_running()]


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="caudal-notifications-") as name:
        yield Path(name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    given = parser.parse_args()
    with _folder() as place:
        print(f"seed {given.seed}", flush=True)
        series = Series(place, given.seed, lambda line: print(line, flush=True))
        series.run(POINTS, given.kills)
    sys.exit(1 if series.wrong else 0)
