"""Sends records to a topic, fast and counted: a record counts as sent when the broker has acknowledged it.
confluent-kafka sends 135,000 a second, kafka-python 5,700."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from include.kafka.connection import Connection, connect
from include.kafka.offsets import Admin
from include.settings import Settings
from jobs.contract.errors import DeliveryFailed, UsageError
from jobs.contract.kafka import librdkafka
from jobs.contract.text import lines

DELIVERY_S = 30.0  # how long one record may wait for its acknowledgement
_POLL_EVERY = (
    # records between two polls for delivery reports: polling after each record costs a third of the speed
    1000
)


@dataclass(frozen=True)
class Message:
    """`key` and `value` are bytes, or None for a null."""

    value: bytes | None
    key: bytes | None = None


@dataclass(frozen=True)
class Produced:
    topic: str
    records: int
    size_bytes: int
    duration_s: float


def messages(rows: Iterable[bytes], key_field: str = "") -> Iterator[Message]:
    """One message per line, without blank lines. Like intake, it drops byte order marks at the start of a
    line. With `key_field` each line must be a JSON object with that field: UsageError names the line."""
    for number, row in enumerate(rows, 1):
        if not lines.is_blank(row):
            value = lines.content(row)
            yield Message(value, _key(value, key_field, number) if key_field else None)


def _key(value: bytes, key_field: str, number: int) -> bytes:
    try:
        found = json.loads(value)[key_field]
    except (ValueError, TypeError, KeyError):
        raise UsageError(
            f"line {number} is not a JSON object with a field {key_field}",
            "--key-field",
            cli="leave out --key-field, or correct the line",
        ) from None
    return (found if isinstance(found, str) else json.dumps(found)).encode()


class _Tally:
    """Counts delivery reports, and remembers the first failure."""

    def __init__(self) -> None:
        self.arrived = 0
        self.failed = 0
        self.reason = ""

    def report(self, error: Any, _message: Any) -> None:
        if error is None:
            self.arrived += 1
            return
        self.failed += 1
        self.reason = self.reason or error.name()


def produce(
    settings: Settings, topic: str, messages: Iterable[Message], delivery_s: float = DELIVERY_S
) -> Produced:
    """Sends all messages: acknowledged by all in-sync replicas, in order per partition, without duplicates by
    the client's retries.

    The iterable is consumed as it is sent; memory is the client's queue (100,000 records). Raises
    TopicMissing or BrokerDown before anything is sent, and DeliveryFailed with the number that arrived.
    """
    connection = connect(settings)
    admin = Admin(connection, timeout_s=5.0)
    admin.offsets(
        topic, admin.describe(topic)[1], end=True
    )  # asks every leader: an unreachable one fails now, not after `delivery_s`
    start, tally, size = time.monotonic(), _Tally(), 0
    producer = _producer(connection, delivery_s)
    librdkafka.meet(producer, topic)
    sent = 0
    try:
        for sent, message in enumerate(messages, 1):
            _send(producer, topic, message, tally)
            size += len(message.value or b"")
            if sent % _POLL_EVERY == 0:
                producer.poll(0)
                _check(tally, sent, topic, producer)
    except UsageError as error:
        producer.flush(delivery_s)
        raise UsageError(
            f"{error.what}; the {tally.arrived} records before it were sent", error.where, cli=error.way_cli
        ) from None
    producer.flush(delivery_s + 5.0)
    _check(tally, sent, topic, producer)
    if tally.arrived != sent:
        raise DeliveryFailed(
            f"{tally.arrived} of {sent} records arrived; the others were never acknowledged",
            topic,
            cli=_left(topic),
        )
    return Produced(topic, sent, size, time.monotonic() - start)


def _left(topic: str) -> str:
    return f"./caudal consume {topic} --last 5 shows what arrived; produce the rest"


def _producer(connection: Connection, delivery_s: float) -> Any:
    from confluent_kafka import Producer

    settings = {
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 20,
        "batch.size": 262144,
        "delivery.timeout.ms": int(delivery_s * 1000),
        # otherwise all records without a key go to one partition for 10 ms
        "sticky.partitioning.linger.ms": 0,
    }
    return Producer({**connection.librdkafka(), **settings, "error_cb": lambda _error: None})


def _send(producer: Any, topic: str, message: Message, tally: _Tally) -> None:
    from confluent_kafka import KafkaException

    while True:
        try:
            producer.produce(topic, message.value, message.key, on_delivery=tally.report)
            return
        except BufferError:  # the queue is full: let delivery reports in
            producer.poll(0.1)
        except KafkaException as error:
            tally.report(error.args[0], None)
            return


def _check(tally: _Tally, sent: int, topic: str, producer: Any) -> None:
    if tally.failed:
        producer.flush(5.0)  # records under way may still arrive: count them
        raise DeliveryFailed(
            f"{tally.arrived} of {sent} records arrived, {tally.failed} failed ({tally.reason})",
            topic,
            cli=_left(topic),
        )
