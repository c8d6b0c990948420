"""A stream from topic to topic that meets faults: a broker that pauses, bad records, missing rights."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.kafka import connection, consume, topics
from include.launch import plan as launch
from include.state import generations
from include.torture.brokers import Broker
from include.torture.topic_world import NAME
from jobs.contract.errors import CaudalError
from jobs.contract.run import report
from jobs.contract.run.spec import new_run_id
from jobs.contract.stream import Topic
from jobs.core import run
from tests.jobs.core.test_transactions import Here

# The authorizer allows everything on a resource that has no ACL. The cleaner of compacted topics sleeps for
# 0.2 s, not for 15 s.
OVERRIDES = (
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found=true",
    "log.cleaner.backoff.ms=200",
)


@contextmanager
def paused(broker: Broker) -> Iterator[None]:
    """Stops the broker's process (SIGSTOP): its connections stay open, and nobody answers."""
    broker.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        broker.process.send_signal(signal.SIGCONT)


@dataclass
class Faulty(Here):
    """As Here. `out` and `error` are those of the newest run."""

    out: str = ""
    error: CaudalError | None = None

    def anew(self, **source: Any) -> None:
        """Takes another source topic, with these settings."""
        assert isinstance(self.row.source, Topic)
        self.row = replace(self.row, source=replace(self.row.source, name=f"{self.source}-anew", **source))
        topics.ensure(self.settings, [self.row])

    def ends(self) -> str:
        """The code of the error with which launcher and driver would end a run; empty for success."""
        try:
            self.out = self.run_here()
        except CaudalError as error:
            self.error = error
        except Exception as error:
            self.error = run.foreseen(error, Path("driver.log"))
        else:
            return ""
        return self.error.code

    def look(self) -> launch.Plan:
        """What the launcher would plan now."""
        now, found = datetime.now(UTC), launch.positions(self.settings, self.row)
        current = generations.current(self.settings.layout, NAME) or launch.first_generation(
            self.row, found, now
        )
        return launch.make(
            self.settings,
            launch.spec(self.settings, self.row, current, new_run_id(now), "", now),
            current,
            found,
        )

    def put(
        self,
        *values: bytes | None,
        key: bytes | None = b"0-0",
        partition: int = 0,
        config: Any = None,
        **more: Any,
    ) -> None:
        """Sends records as they are. No message is expected to come of them."""
        from confluent_kafka import Producer

        options = {"message.max.bytes": 20_000_000, **(config or {})}
        producer = Producer({**connection.connect(self.settings).librdkafka(), "acks": "all", **options})
        for value in values:
            producer.produce(self.source, value, key, partition, **more)
        assert producer.flush(60) == 0

    def invoice(self, **fields: Any) -> bytes:
        """The next document, with additional `fields`."""
        self.number += 1
        whole = {
            "InvoiceNumber": "0-0",
            "CustomerCardNo": str(self.number),
            "TotalAmount": float(self.number),
        }
        return json.dumps(whole | {"InvoiceLineItems": [{"ItemCode": "1", "ItemQty": 1}]} | fields).encode()

    def due(self, number: int) -> None:
        """Expects the document of this number to come out."""
        self.sent["0-0", number] += 1

    def right_result(self, *, order: bool = True) -> None:
        """A read_committed consumer must find each expected message once. With `order`, the messages of each
        key must be in order."""
        found = Counter((key, int(value["CustomerCardNo"])) for key, value, _ in self.read())
        assert found == self.sent
        if order:
            assert self.fault() == ""

    @property
    def lag(self) -> int:
        """The lag in records that the newest run reported."""
        return int(self.ended["lag_records"])

    def recreate_sink(self) -> None:
        topics.ensure(self.settings, [self.row])

    def compacted(self, below: int) -> Counter[tuple[str, int]]:
        """Waits until the cleaner has compacted the source, and switches it off. Returns what is left."""
        from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

        until_s, left = time.monotonic() + 60, self._on_source()
        while left.total() >= below:
            assert time.monotonic() < until_s, "nothing was compacted"
            time.sleep(0.2)
            left = self._on_source()
        entry = ConfigEntry("cleanup.policy", "delete", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ConfigResource.Type.TOPIC, self.source, incremental_configs=[entry])
        for future in self.admin().incremental_alter_configs([resource]).values():
            future.result(30)
        time.sleep(1.0)  # a cleaning that had already begun
        return self._on_source()

    def _on_source(self) -> Counter[tuple[str, int]]:
        values = [json.loads(record.value or b"") for record in consume.read(self.settings, self.source)]
        return Counter((value["InvoiceNumber"], int(value["CustomerCardNo"])) for value in values)

    def refused(self) -> Counter[str]:
        """How many records are in quarantine, by reason."""
        found = (self.settings.layout.data / "cuarentena").rglob("part-*")
        return Counter(
            json.loads(line)["reason"]
            for part in found
            for line in part.read_text(encoding="utf-8").splitlines()
        )

    def make_anew(self, topic: str, partitions: int = 3) -> None:
        from confluent_kafka.admin import NewTopic

        self.delete(topic)
        self.admin().create_topics([NewTopic(topic, partitions, 1)])[topic].result(30)

    @contextmanager
    def right(self, kind: str, name: str, *rights: tuple[str, str], prefix: bool = False) -> Iterator[None]:
        """Gives everybody `rights` on a resource inside the block, as (DENY or ALLOW, operation). What is not
        named is denied."""
        from confluent_kafka.admin import (
            AclBinding,
            AclOperation,
            AclPermissionType,
            ResourcePatternType,
            ResourceType,
        )

        pattern = ResourcePatternType.PREFIXED if prefix else ResourcePatternType.LITERAL
        bindings = [
            AclBinding(
                ResourceType[kind],
                name,
                pattern,
                "User:ANONYMOUS",
                "*",
                AclOperation[operation],
                AclPermissionType[kind_of_right],
            )
            for kind_of_right, operation in rights
        ]
        for future in self.admin().create_acls(bindings).values():
            future.result(30)
        try:
            yield
        finally:
            self._take_back(bindings)

    def _take_back(self, bindings: list[Any]) -> None:
        from confluent_kafka.admin import AclBindingFilter

        same = [
            AclBindingFilter(
                b.restype,
                b.name,
                b.resource_pattern_type,
                b.principal,
                b.host,
                b.operation,
                b.permission_type,
            )
            for b in bindings
        ]
        for future in self.admin().delete_acls(same).values():
            future.result(30)


def warned(made: launch.Plan) -> tuple[str, ...]:
    """The warnings that the run's report would have."""
    return report.of(made.spec, "idle").warnings
