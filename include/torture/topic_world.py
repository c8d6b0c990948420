"""A stream into a topic on a broker of its own, and what must come out: every message once, for a consumer of
committed records."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include import streams
from include.housekeeping import apply as housekeeping
from include.housekeeping.plan import Plan
from include.kafka import connection, topics
from include.settings import Settings
from include.torture.runs import Home, difference, ended
from jobs.contract.deadline import until
from jobs.contract.disk import failpoints
from jobs.contract.kafka import librdkafka
from jobs.contract.stream import Topic

NAME = "notificaciones"
RUN_S = 600.0  # 5 s on an idle machine; on one that starves, minutes go into Spark's start alone
_STARTS = 4
_KEYS = 40  # of each partition; they come again and again, so their order can be checked
# The launcher with another source, sink and transaction size in the registry's row. argv: source topic, sink
# topic, records of a transaction.
_LAUNCHER = """import sys
from dataclasses import replace
from include import streams
from include.launch.__main__ import main
from jobs.contract.stream import Topic
row = streams.get("notificaciones")
limits = replace(row.limits, transaction_records=int(sys.argv[3]))
source, sink = Topic(sys.argv[1]), replace(row.sink, name=sys.argv[2])
streams.collect()[0][row.name] = replace(row, source=source, sink=sink, limits=limits)
sys.exit(main(["--master", "local[2]", "jobs/notificaciones.py", "--stream", "notificaciones"]))
"""


def document(key: str, number: int) -> bytes:
    items = [{"ItemCode": "1", "ItemQty": 1}]
    return json.dumps(
        {
            "InvoiceNumber": key,
            "CustomerCardNo": str(number),
            "TotalAmount": float(number),
            "InvoiceLineItems": items,
        }
    ).encode()


@dataclass
class TopicWorld:
    """One home, one source and one sink topic on a broker. `sent`: (key, number) of each document -> how
    often a consumer must find its message."""

    broker: Settings
    folder: Path
    unit_records: int = 40
    sent: Counter[tuple[str, int]] = field(default_factory=Counter)
    number: int = 0
    partitions: int = 3
    _admin: Any = None

    def __post_init__(self) -> None:
        mark = secrets.token_hex(4)
        self.home = Home.at(self.folder / "home", NAME, self.broker.kafka_bootstrap)
        self.settings = self.home.settings
        row = streams.get(NAME)
        assert isinstance(row.sink, Topic)
        limits = replace(row.limits, transaction_records=self.unit_records)
        self.row = replace(
            row, source=Topic(f"source-{mark}"), sink=replace(row.sink, name=f"sink-{mark}"), limits=limits
        )
        topics.ensure(self.settings, [self.row])

    @property
    def source(self) -> str:
        return self.row.source.name if isinstance(self.row.source, Topic) else ""

    @property
    def sink(self) -> str:
        return self.row.sink.name if isinstance(self.row.sink, Topic) else ""

    # what goes in

    def produce(self, count: int) -> None:
        """Sends `count` documents. Keys come again, and a key stays on its partition, so its order is
        defined."""
        from confluent_kafka import Producer

        producer = Producer(
            {**connection.connect(self.settings).librdkafka(), "acks": "all", "enable.idempotence": True}
        )
        librdkafka.meet(producer, self.source)
        for _ in range(count):
            self.number += 1
            partition, slot = self.number % self.partitions, (self.number // self.partitions) % _KEYS
            key = f"{partition}-{slot}"
            producer.produce(self.source, document(key, self.number), key.encode(), partition)
            self.sent[key, self.number] += 1
        assert producer.flush(60) == 0

    def next_document(self, partition: int) -> tuple[tuple[str, int], bytes]:
        """(key, number) and bytes of a document for that partition. The caller sends it, and counts it in
        `sent` once its message is due."""
        self.number += 1
        key = f"{partition}-other"
        return (key, self.number), document(key, self.number)

    def add_partition(self) -> None:
        from confluent_kafka.admin import NewPartitions

        self.partitions += 1
        for future in self.admin().create_partitions([NewPartitions(self.source, self.partitions)]).values():
            future.result(30)

    # changes on the broker

    def admin(self) -> Any:
        from confluent_kafka.admin import AdminClient

        self._admin = self._admin or AdminClient(connection.connect(self.settings).librdkafka())
        return self._admin

    def delete(self, topic: str) -> None:
        for future in self.admin().delete_topics([topic]).values():
            future.result(30)
        gone = until(lambda: topic not in self.admin().list_topics(timeout=30).topics, 30, 0.05)
        assert gone, f"{topic} is still there"

    def drop(self, *, before: int, partition: int = 0) -> None:
        """Removes the records before that offset, as retention does; -1 removes all."""
        from confluent_kafka import TopicPartition

        for future in self.admin().delete_records([TopicPartition(self.source, partition, before)]).values():
            future.result(30)

    # runs and verbs

    def start(self, failpoint: str = "") -> subprocess.Popen[str]:
        line = [sys.executable, "-P", "-c", _LAUNCHER, self.source, self.sink, str(self.unit_records)]
        return self.home.spawn(line, **({failpoints.VARIABLE: failpoint} if failpoint else {}))

    def run(self, failpoint: str = "") -> tuple[int, str]:
        return ended(self.start(failpoint), RUN_S)

    def recover(self) -> str:
        """Runs until one ends right. Returns what is wrong, in words; empty when one did."""
        code, out = -1, ""
        for _ in range(_STARTS):
            code, out = self.run()
            if code == 0:
                return ""
        return f"not right after {_STARTS} starts, exit {code}: {out[-1500:]}"

    def do(self, planner: Callable[..., Plan], **options: Any) -> None:
        now = datetime.now(UTC)
        plan = planner(self.settings, self.row, now, **options)
        housekeeping.apply(self.settings, plan, lambda: planner(self.settings, self.row, now, **options), now)

    def again(self) -> None:
        """Every message is due once more."""
        self.sent += Counter(set(self.sent))

    # what comes out

    def read(self, isolation: str = "read_committed") -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
        """(key, value, headers) of the sink in partition order, through a plain consumer."""
        from confluent_kafka import Consumer, KafkaError, TopicPartition

        plain = {
            "group.id": "reader",
            "enable.partition.eof": True,
            "isolation.level": isolation,
            "auto.offset.reset": "earliest",
        }
        consumer = Consumer(
            {**connection.connect(self.settings).librdkafka(), **plain, **librdkafka.QUICK_FETCH}
        )
        try:
            left = set(consumer.list_topics(self.sink, 30).topics[self.sink].partitions)
            consumer.assign([TopicPartition(self.sink, p, 0) for p in left])
            until_s = time.monotonic() + 60
            while left:
                assert time.monotonic() < until_s, f"partitions {left} have no end"
                for m in librdkafka.arrived(consumer, 1000, 0.2):
                    if m.error() is None:
                        yield (
                            m.key().decode(),
                            json.loads(m.value()),
                            {k: v.decode() for k, v in m.headers() or []},
                        )
                    elif m.error().code() == KafkaError._PARTITION_EOF:
                        left.discard(m.partition())
        finally:
            consumer.close()

    def fault(self) -> str:
        """Empty when each message stands as often as it is due, with its value, and first ones of a key in
        order."""
        received: Counter[tuple[str, int]] = Counter()
        last: dict[str, int] = {}
        for key, value, headers in self.read():
            number = int(value["CustomerCardNo"])
            if value != {
                "CustomerCardNo": str(number),
                "TotalAmount": float(number),
                "EarnedLoyaltyPoints": float(number) * 0.2,
            }:
                return f"value {value}"
            if set(headers) != {"caudal-stream", "caudal-generation", "caudal-source"} or not headers[
                "caudal-source"
            ].startswith(f"{self.source}/"):
                return f"headers {headers}"
            if not received[key, number] and number < last.get(key, 0):
                return f"key {key}: {number} after {last[key]}"
            last[key] = max(number, last.get(key, 0))
            received[key, number] += 1
        return difference("messages", received, self.sent)
