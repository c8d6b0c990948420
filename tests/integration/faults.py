"""A stream from a topic to a topic with its faults: a broker that pauses, records as they should not be, rights that are missing."""

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

# an authorizer that allows everything until a right is written down; a cleaner of compacted topics that does not sleep for 15 s
OVERRIDES = (
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found=true",
    "log.cleaner.backoff.ms=200",
)


@contextmanager
def paused(broker: Broker) -> Iterator[None]:
    """The broker's process is stopped: its connections stay open, and nobody answers."""
    broker.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        broker.process.send_signal(signal.SIGCONT)


@dataclass
class Faulty(Here):
    """As Here. `out` and `error`: of the newest run."""

    out: str = ""
    error: CaudalError | None = None

    def anew(self, **source: Any) -> None:
        """Another source topic, with the settings given."""
        assert isinstance(self.row.source, Topic)
        self.row = replace(self.row, source=replace(self.row.source, name=f"{self.source}-anew", **source))
        topics.ensure(self.settings, [self.row])

    def ends(self) -> str:
        """Empty, or the code of the error that a run of the launcher and the driver would end with."""
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
        """What the launcher would find now."""
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
        """Records as they are; nothing is expected of them."""
        from confluent_kafka import Producer

        options = {"message.max.bytes": 20_000_000, **(config or {})}
        producer = Producer({**connection.connect(self.settings).librdkafka(), "acks": "all", **options})
        for value in values:
            producer.produce(self.source, value, key, partition, **more)
        assert producer.flush(60) == 0

    def invoice(self, **fields: Any) -> bytes:
        """The next document, with `fields` besides."""
        self.number += 1
        whole = {
            "InvoiceNumber": "0-0",
            "CustomerCardNo": str(self.number),
            "TotalAmount": float(self.number),
        }
        return json.dumps(whole | {"InvoiceLineItems": [{"ItemCode": "1", "ItemQty": 1}]} | fields).encode()

    def due(self, number: int) -> None:
        """The document of this number must come out."""
        self.sent["0-0", number] += 1

    def right_result(self, *, order: bool = True) -> None:
        """A reader of committed records finds each message that is due, once, and (where that can be told) each key's in order."""
        found = Counter((key, int(value["CustomerCardNo"])) for key, value, _ in self.read())
        assert found == self.sent
        if order:
            assert self.fault() == ""

    @property
    def lag(self) -> int:
        """Of the newest run's query."""
        return int(self.ended["lag_records"])

    def recreate_sink(self) -> None:
        topics.ensure(self.settings, [self.row])

    def compacted(self, below: int) -> Counter[tuple[str, int]]:
        """What is left on the source once the cleaner has been there; from then on it rests."""
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
        time.sleep(1.0)  # a cleaning that was on its way
        return self._on_source()

    def _on_source(self) -> Counter[tuple[str, int]]:
        values = [json.loads(record.value or b"") for record in consume.read(self.settings, self.source)]
        return Counter((value["InvoiceNumber"], int(value["CustomerCardNo"])) for value in values)

    def refused(self) -> Counter[str]:
        """Reasons in quarantine."""
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
        """`rights` of everybody on a resource, as (DENY or ALLOW, operation), while it lasts; all that is not named is denied then."""
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
                AclPermissionType[way],
            )
            for way, operation in rights
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
    """What the run's report would warn of."""
    return report.of(made.spec, "idle").warnings
