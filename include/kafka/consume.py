"""Reads the committed records of a topic, from a start to the end that the topic had when the
reading began."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from include.kafka import away
from include.kafka.connection import connect
from include.kafka.offsets import Admin
from include.settings import Settings
from jobs.contract.errors import ServiceError
from jobs.contract.kafka import librdkafka

SILENCE_S = 15.0  # no record and no partition's end for this long: the broker is gone
_FETCH_RECORDS = 2000


@dataclass(frozen=True)
class ConsumerRecord:
    topic: str
    partition: int
    offset: int
    timestamp_ms: int  # -1: the record has none
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def read(settings: Settings, topic: str, silence_s: float = SILENCE_S) -> Iterator[ConsumerRecord]:
    """All records from the earliest, by offset within a partition. Raises TopicMissing, BrokerDown (also
    while reading)."""
    admin = Admin(connect(settings), timeout_s=5.0)
    partitions = admin.describe(topic)[1]
    start = admin.offsets(topic, partitions, end=False)
    yield from _between(
        settings, topic, start, admin.offsets(topic, partitions, end=True, committed=True), silence_s
    )


def tail(settings: Settings, topic: str, records: int, silence_s: float = SILENCE_S) -> list[ConsumerRecord]:
    """The newest `records` by timestamp, oldest first. Reads further back if transaction markers or gaps take
    up offsets."""
    admin = Admin(connect(settings), timeout_s=5.0)
    partitions = admin.describe(topic)[1]
    earliest, end = (
        admin.offsets(topic, partitions, end=False),
        admin.offsets(topic, partitions, end=True, committed=True),
    )
    reach = records
    while True:
        start = {p: max(earliest[p], end[p] - reach) for p in partitions}
        newest = sorted(
            _between(settings, topic, start, end, silence_s), key=lambda r: (r.timestamp_ms, r.offset)
        )
        if len(newest) >= records or start == earliest:
            return newest[-records:] if records else []
        reach *= 4


def between(
    settings: Settings, topic: str, start: dict[int, int], end: dict[int, int], *, committed: bool = True
) -> Iterator[ConsumerRecord]:
    """Records with start <= offset < end in each partition, by offset; with `committed=False` also those of
    aborted transactions. The offsets must still be there. Raises BrokerDown, ServiceError."""
    return _between(settings, topic, start, end, SILENCE_S, committed)


def _between(
    settings: Settings,
    topic: str,
    start: dict[int, int],
    end: dict[int, int],
    silence_s: float,
    committed: bool = True,
) -> Iterator[ConsumerRecord]:
    waiting = {p for p in end if start[p] < end[p]}
    if not waiting:
        return
    consumer = _consumer(settings, topic, {p: start[p] for p in waiting}, committed)
    try:
        heard_s = time.monotonic()
        while waiting:
            for message in librdkafka.arrived(consumer, _FETCH_RECORDS, 0.5):
                heard_s = time.monotonic()
                yield from _take(message, waiting, end)
            if waiting and time.monotonic() - heard_s > silence_s:
                raise away.explained(
                    f"topic {topic} delivered nothing for {silence_s:g} s, before its end", connect(settings)
                )
    finally:
        consumer.close()


def _consumer(settings: Settings, topic: str, start: dict[int, int], committed: bool) -> Any:
    from confluent_kafka import Consumer, TopicPartition

    config = {
        # required by the client; nothing is ever committed to it
        "group.id": f"caudal-look-{secrets.token_hex(4)}",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed" if committed else "read_uncommitted",
        "auto.offset.reset": "error",
        **librdkafka.QUICK_FETCH,
        "error_cb": lambda _error: None,
    }
    consumer = Consumer({**connect(settings).librdkafka(), **config})
    consumer.assign([TopicPartition(topic, p, offset) for p, offset in start.items()])
    return consumer


def _take(message: Any, waiting: set[int], end: dict[int, int]) -> Iterator[ConsumerRecord]:
    """The record, if it lies before the end. Removes a partition that is finished from `waiting`."""
    from confluent_kafka import KafkaError

    partition, error = message.partition(), message.error()
    if error is not None:
        if error.code() == KafkaError._PARTITION_EOF:
            waiting.discard(partition)
            return
        raise ServiceError(f"Kafka answers {error.name()} while reading", message.topic())
    offset = message.offset()
    if offset + 1 >= end[partition]:
        waiting.discard(partition)
    if offset < end[partition]:
        place = message.topic(), partition, offset, message.timestamp()[1]
        yield ConsumerRecord(*place, message.key(), message.value(), tuple(message.headers() or ()))
