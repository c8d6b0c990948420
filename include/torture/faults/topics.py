"""Faults of a stream from a topic into a topic, on a broker of their own. Both sides are fed and counted by
the same code."""

from __future__ import annotations

import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from include.housekeeping.generations import rollover
from include.kafka import topics
from include.torture.brokers import Broker
from include.torture.faults.sides import MOMENT_S, Ends, one, submit
from include.torture.runs import kill_jvm, wait_for
from include.torture.topic_world import TopicWorld

READ = 400  # records that are read before the fault
MANY = 20_000  # records: sending them takes long enough for a kill to hit it


class Caudal(TopicWorld):
    """`notificaciones` with topics of its own, in transactions as big as the registry's row has them."""

    tries = 1

    def __init__(self, broker: Broker, folder: Path) -> None:
        super().__init__(broker.settings, folder, unit_records=5000)
        self.said: list[str] = []

    def mend(self) -> None:
        if self.said[-1:] == ["topic-recreated"]:
            self.do(rollover.plan)
        if self.said[-1:] == ["offsets-lost"]:
            self.do(rollover.plan, accept_loss=True)

    def run_once(self) -> int:
        code, _ = self.run()
        if code:
            self.said.append(str(self.home.error().get("code", "")))
        return code

    def ends(self, codes: list[int]) -> Ends:
        received = Counter((key, int(value["CustomerCardNo"])) for key, value, _ in self.read())
        missing, many = (self.sent - received).total(), (received - self.sent).total()
        return Ends.of(self.sent.total(), missing, many, 0, codes, self.said)


class Plain(Caudal):
    """Spark's own source and sink, on topics of its own."""

    def start(self, failpoint: str = "") -> subprocess.Popen[str]:
        where = (str(self.settings.kafka_bootstrap), self.source, self.sink, str(self.folder / "checkpoint"))
        return submit("plain_topic_job.py", *where)

    def mend(self) -> None:
        return


Fault = Callable[[Caudal], list[int]]


def killed_before_commit(side: Caudal) -> list[int]:
    """topic to topic: `kill -9` between send and commit; run again"""
    side.produce(MANY)
    process = side.start()
    wait_for(lambda: _sent(side), "a message is on the sink's topic", MOMENT_S, of=process)
    kill_jvm(process)
    return [side.run_once()]


def topic_made_again(side: Caudal) -> list[int]:
    """topic to topic: the source deleted and made again, longer than what was read"""
    side.produce(READ)
    side.run_once()
    side.delete(side.source)
    topics.ensure(side.settings, [side.row])
    side.produce(2 * READ)
    return [side.run_once()]


def retention_passed(side: Caudal) -> list[int]:
    """topic to topic: retention takes records that were not read; those behind them \
(what nobody can read any more is not counted)"""
    side.produce(READ)
    side.run_once()
    before = Counter(side.sent)
    side.produce(READ)
    for partition in range(side.partitions):
        side.drop(before=-1, partition=partition)
    side.sent = before
    side.produce(READ)
    return [side.run_once()]


FAULTS: tuple[Fault, ...] = (killed_before_commit, topic_made_again, retention_passed)


def measure(only: str) -> Iterator[tuple[str, list[Ends]]]:
    """(fault, [how the plain job ended, how Caudal did]), of the faults whose name contains `only`."""
    chosen = [fault for fault in FAULTS if only in (fault.__doc__ or "")]
    if not chosen:
        return
    with tempfile.TemporaryDirectory(prefix="caudal-faults-") as folder:
        broker = Broker(Path(folder) / "broker")
        broker.start()
        try:
            for number, fault in enumerate(chosen):
                sides = [side(broker, Path(folder) / f"{number}{side.__name__}") for side in (Plain, Caudal)]
                yield fault.__doc__ or "", [one(fault, side, side.run_once) for side in sides]
        finally:
            broker.stop()


def _sent(side: Caudal) -> bool:
    """Whether any message is on the sink's topic, committed or not."""
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import OffsetSpec

    admin = side.admin()
    partitions = admin.list_topics(side.sink, timeout=30).topics[side.sink].partitions
    wanted = {TopicPartition(side.sink, p): OffsetSpec.latest() for p in partitions}
    return any(future.result(30).offset > 0 for future in admin.list_offsets(wanted).values())
