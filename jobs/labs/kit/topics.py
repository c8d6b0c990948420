"""The topics of a lab: created for each run under a new name, filled and read by plain clients."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from jobs.contract.errors import BrokerDown, DeliveryFailed, ServiceError
from jobs.contract.kafka import librdkafka
from jobs.contract.kafka.connection import Connection

_WAIT_S = 20.0  # for one request; a broker on this machine answers within milliseconds
_UP = "./caudal up, y otra vez el laboratorio"
_KEPT_S = 3600  # topics that are older are removed; an hour, so that a run beside this one keeps its own


@dataclass(frozen=True)
class Message:
    key: bytes | None
    value: bytes | None
    partition: int
    offset: int
    timestamp_ms: int
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True)
class Topics:
    """Topics `lab_<lab>_<what>_<moment>` on the broker of `connection`."""

    connection: Connection
    lab: str

    def fresh(self, what: str, partitions: int = 1, **config: str) -> str:
        """Creates an empty topic and returns its name; topics of this lab that are older than an hour are
        removed.

        `config`: its settings, with dots written as underscores. Raises BrokerDown, ServiceError.
        """
        from confluent_kafka.admin import NewTopic

        admin = self._admin()
        self._tidy(admin)
        name = f"lab_{self.lab}_{what}_{int(time.time())}{secrets.token_hex(2)}"
        settings = {key.replace("_", "."): value for key, value in config.items()}
        topic = NewTopic(name, partitions, -1, config=settings)
        for future in admin.create_topics([topic], operation_timeout=_WAIT_S).values():
            _result(future, name)
        return name

    def produce(
        self,
        topic: str,
        values: Iterable[bytes | str | None],
        *,
        keys: Iterable[bytes | str | None] | None = None,
        **more: Any,
    ) -> int:
        """Sends in order, to one partition where `partition` is given. Returns how many. Raises
        DeliveryFailed."""
        from confluent_kafka import Producer

        failed: list[str] = []
        in_order = {"enable.idempotence": True, "linger.ms": 5, "sticky.partitioning.linger.ms": 0}
        producer = Producer({**self.connection.librdkafka(), **in_order})
        librdkafka.meet(producer, topic)
        sent = list(values)
        for value, key in zip(sent, keys or repeat(None), strict=False):
            producer.produce(
                topic,
                value=value,
                key=key,
                on_delivery=lambda error, _: failed.append(str(error)) if error else None,
                **more,
            )
            producer.poll(0)
        left = producer.flush(_WAIT_S)
        if left or failed:
            what = f"no se han aceptado {left + len(failed)} de {len(sent)} registros {failed[:1]}"
            raise DeliveryFailed(what, topic, cli="otra vez el laboratorio: empieza con topics nuevos")
        return len(sent)

    def read(self, topic: str) -> list[Message]:
        """All committed messages of the topic, by partition and offset."""
        from confluent_kafka import Consumer, TopicPartition

        settings = {
            "group.id": f"lab-{secrets.token_hex(4)}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
        consumer = Consumer({**self.connection.librdkafka(), **settings, **librdkafka.QUICK_FETCH})
        try:
            partitions = list(consumer.list_topics(topic, timeout=_WAIT_S).topics[topic].partitions)
            consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
            return sorted(self._all(consumer, topic, set(partitions)), key=lambda r: (r.partition, r.offset))
        finally:
            consumer.close()

    def _all(self, consumer: Any, topic: str, waiting: set[int]) -> Iterable[Message]:
        deadline = time.monotonic() + _WAIT_S
        while waiting and time.monotonic() < deadline:
            m = consumer.poll(0.2)
            if m is None:
                continue
            if m.error():  # the end of a partition comes as an error
                waiting.discard(m.partition())
                continue
            headers = tuple(m.headers() or ())
            yield Message(m.key(), m.value(), m.partition(), m.offset(), m.timestamp()[1], headers)
        if waiting:
            raise ServiceError(f"Kafka no ha entregado todo el topic en {_WAIT_S:g} s", topic)

    def _admin(self) -> Any:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        admin = AdminClient(self.connection.librdkafka())
        try:
            admin.list_topics(timeout=_WAIT_S)
        except KafkaException as error:
            raise BrokerDown(
                f"Kafka no contesta ({error.args[0].str()})", self.connection.bootstrap, cli=_UP
            ) from None
        return admin

    def _tidy(self, admin: Any) -> None:
        prefix, now = f"lab_{self.lab}_", time.time()
        names = admin.list_topics(timeout=_WAIT_S).topics
        old = [name for name in names if name.startswith(prefix) and _created_s(name) < now - _KEPT_S]
        for name, future in (admin.delete_topics(old, operation_timeout=_WAIT_S) if old else {}).items():
            with suppress(ServiceError):  # another home was faster, or this user may not delete topics
                _result(future, name)


def _created_s(name: str) -> float:
    """When a topic was created, from its name; infinity for a name of another form, which is never old."""
    suffix = name.rpartition("_")[2]
    return float(suffix[:10]) if re.fullmatch(r"\d{10}[0-9a-f]{4}", suffix) else float("inf")


def _result(future: Any, topic: str) -> None:
    from confluent_kafka import KafkaException

    try:
        future.result(_WAIT_S)
    except KafkaException as error:
        raise ServiceError(f"Kafka contesta: {error.args[0].str()}", topic, cli=_UP) from None
