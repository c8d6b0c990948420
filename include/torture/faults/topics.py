"""Faults of a stream from a topic into a topic, on a broker of their own. Both sides read, write and are counted by the same code."""

from __future__ import annotations

import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from include.housekeeping.generations import rollover
from include.kafka import topics
from include.torture.faults.sides import Ends, met, submit
from include.torture.runs import python_driver
from include.torture.topic_world import NAME, Broker, World
from jobs.contract.run import report

READ = 400  # records before the topic is made again
MANY = 20_000  # records: sending takes long enough to be met


class Caudal(World):
    """`notificaciones` with topics of its own, in transactions as big as the row's."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        super().__init__(broker.settings, folder, unit_records=5000)
        self.said: list[str] = []

    def mend(self) -> None:
        if self.said[-1:] == ["topic-recreated"]:
            self.do(rollover.plan)
        if self.said[-1:] == ["offsets-lost"]:
            self.do(rollover.plan, accept_loss=True)

    def end(self) -> int:
        code, _ = self.run()
        if code:
            error = (
                next(
                    (
                        found.error
                        for path in report.newest(self.settings.layout.runs(NAME))
                        if (found := report.read(path))
                    ),
                    None,
                )
                or {}
            )
            self.said.append(str(error.get("code", "")))
        return code


class Plain(Caudal):
    """Spark's own source and sink, on topics of its own."""

    def start(self, failpoint: str = "") -> subprocess.Popen[str]:
        where = (str(self.settings.kafka_bootstrap), self.source, self.sink, str(self.folder / "checkpoint"))
        return submit("plain_topic_job.py", *where)

    def mend(self) -> None:
        return

    def end(self) -> int:
        return self.run()[0]


Fault = Callable[[Caudal], list[int]]


def killed_before_commit(side: Caudal) -> list[int]:
    """topic to topic: `kill -9` between send and commit; run again"""
    side.produce(MANY)
    process = side.start()
    met(lambda: _sent(side), process)
    driver = python_driver(process.pid)
    process.kill()
    process.communicate()
    if driver is not None:
        driver.wait(timeout=30)
    return [side.end()]


def topic_made_again(side: Caudal) -> list[int]:
    """topic to topic: the source deleted and made again, longer than what was read"""
    side.produce(READ)
    side.end()
    side.delete(side.source)
    topics.ensure(side.settings, [side.row])
    side.produce(2 * READ)
    return [side.end()]


def retention_passed(side: Caudal) -> list[int]:
    """topic to topic: retention takes records that were not read; those behind them (what nobody can read any more is not counted)"""
    side.produce(READ)
    side.end()
    before = Counter(side.sent)
    side.produce(READ)
    for partition in range(side.partitions):
        side.drop(before=-1, partition=partition)
    side.sent = before
    side.produce(READ)
    return [side.end()]


FAULTS: tuple[Fault, ...] = (killed_before_commit, topic_made_again, retention_passed)


def measure(only: str) -> Iterator[tuple[str, list[Ends]]]:
    """(fault, [how the plain job ended, how Caudal did]), of the faults whose words hold `only`."""
    chosen = [fault for fault in FAULTS if only in (fault.__doc__ or "")]
    if not chosen:
        return
    with tempfile.TemporaryDirectory(prefix="caudal-faults-") as folder:
        broker = Broker(Path(folder) / "broker")
        broker.start()
        try:
            for number, fault in enumerate(chosen):
                yield (
                    fault.__doc__ or "",
                    [
                        _one(fault, side(broker, Path(folder) / f"{number}{side.__name__}"))
                        for side in (Plain, Caudal)
                    ],
                )
        finally:
            broker.stop()


def _one(fault: Fault, side: Caudal) -> Ends:
    codes = fault(side)
    if codes[-1] != 0:
        side.mend()
        codes.append(side.end())
    found = Counter((key, int(value["CustomerCardNo"])) for key, value, _ in side.read())
    missing, many = (side.sent - found).total(), (found - side.sent).total()
    lost, stuck = (missing, 0) if codes[-1] == 0 else (0, missing)
    return Ends(side.sent.total(), lost, stuck, many, 0, tuple(codes), tuple(dict.fromkeys(side.said)))


def _sent(side: Caudal) -> bool:
    """Whether some message stands on the sink's topic, committed or not."""
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import OffsetSpec

    admin = side.admin()
    partitions = admin.list_topics(side.sink, timeout=30).topics[side.sink].partitions
    wanted = {TopicPartition(side.sink, p): OffsetSpec.latest() for p in partitions}
    return any(future.result(30).offset > 0 for future in admin.list_offsets(wanted).values())
