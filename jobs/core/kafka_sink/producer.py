"""One transactional id on Kafka, and the reading of a one-partition topic to its end; every refusal of the
broker as a named error.

Runs in the driver and in Spark's Python workers, so it imports nothing of Spark.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from jobs.contract.errors import (
    BrokerDown,
    CaudalError,
    ConfigError,
    Fenced,
    MessageRefused,
    ServiceError,
    TimeoutRefused,
    TopicMissing,
    TransactionTooLong,
)
from jobs.contract.kafka import librdkafka

AWAY_S = 90.0  # a broker that restarts is back within this; a run that waits longer only holds its lease
SETTLED_S = 3.0  # a broker that has just started may deny for a moment that it has a topic
_CALL_S = 10.0  # one call into the client; what it began goes on in the next
_REPORT_S = 0.1  # how late a refusal may be seen
_FETCH_RECORDS = 5000
_GROUP = "caudal-tokens"
_SENDING: Mapping[str, Any] = {
    "linger.ms": 20,
    "batch.size": 524_288,
    "partitioner": "murmur2_random",  # as the Java client: the same key stays on the partition where Spark's own sink put it
    "message.max.bytes": 1_000_000_000,  # the broker decides what is too big, not the client
    "queue.buffering.max.messages": 200_000,
    "queue.buffering.max.kbytes": 65_536,  # memory of one worker
    "delivery.report.only.error": True,
    "retry.backoff.ms": 20,  # the first step of a back-off that grows: opening an id has one or two
    "reconnect.backoff.ms": 20,
}
_COORDINATOR = "__transaction_state"  # any topic will do; this one is where transactions are
Headers = list[tuple[str, bytes]]
# what the broker or the client answers, by what it means here
_FENCED = frozenset(
    {
        KafkaError._FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_ID_MAPPING,
    }
)
_AWAY = frozenset(
    {KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._MSG_TIMED_OUT}
)
_ELECTING = frozenset({KafkaError.LEADER_NOT_AVAILABLE, KafkaError.NOT_LEADER_FOR_PARTITION})
_DENIED = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
    }
)
_MISSING = frozenset(
    {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}
)
_TOO_BIG = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_RECORD,
        KafkaError.RECORD_LIST_TOO_LARGE,
    }
)


def named(error: Any, where: str) -> CaudalError:
    """A KafkaError as one of Caudal's own."""
    code = error.code()
    if code in _FENCED:
        return Fenced("another producer has taken over this transactional id", where)
    if code in _AWAY:
        return BrokerDown(f"no broker answers in time ({error.name()})", where)
    if code in _DENIED:
        return ConfigError(
            f"Kafka refuses the login or its rights ({error.name()})",
            where,
            cli="check CAUDAL_KAFKA_PROPERTIES and its rights",
        )
    if code in _MISSING:
        return TopicMissing("the broker has no such topic", where)
    if code in _TOO_BIG:
        return MessageRefused(f"the broker refuses a message ({error.name()})", where)
    if code == KafkaError.INVALID_TRANSACTION_TIMEOUT:
        return TimeoutRefused("the broker allows no transaction of this length", where)
    return ServiceError(f"Kafka answers {error.name()}", where)


@dataclass(frozen=True)
class Client:
    """librdkafka's connection options (they may hold a password: repr shows none) and how long a transaction
    may take."""

    options: Mapping[str, Any]
    timeout_ms: int

    def __repr__(self) -> str:
        return f"Client({self.options.get('bootstrap.servers')}, timeout_ms={self.timeout_ms})"

    def quiet(self, **more: Any) -> dict[str, Any]:
        """Its own log goes nowhere: what matters comes back as an error."""
        return {**self.options, "log_level": 0, "error_cb": _unheard, **more}


def _unheard(_error: Any) -> None:
    """A connection that is down now may be up again: the call that fails says so."""


class Transactional:
    """A producer that owns transactional id `name` from here on: every other one is fenced, its open
    transaction is resolved.

    Every method may raise BrokerDown, Fenced, TransactionTooLong, MessageRefused, TopicMissing, ConfigError
    or ServiceError; then the transaction is not committed, and will be aborted by the next owner of the id.
    """

    def __init__(self, client: Client, name: str, away_s: float = AWAY_S) -> None:
        self.name, self._timeout_ms, self._away_s = name, client.timeout_ms, away_s
        self._refused: list[Any] = []
        self._which = ""
        self._begun_s = 0.0
        config = client.quiet(
            **_SENDING,
            on_delivery=self._undelivered,
            **{"transactional.id": name, "transaction.timeout.ms": client.timeout_ms},
        )
        try:
            self._producer: Any = Producer(config)
        except KafkaException as error:
            raise ConfigError(
                f"the Kafka client refuses its configuration ({error.args[0].name()})", name
            ) from None
        librdkafka.meet(self._producer, _COORDINATOR)
        self._persist(self._producer.init_transactions)

    @property
    def age_s(self) -> float:
        """Since the open transaction began."""
        return time.monotonic() - self._begun_s

    def begin(self) -> None:
        with self._named():
            self._producer.begin_transaction()
        self._begun_s = time.monotonic()

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers | None = None,
        partition: int = -1,
    ) -> None:
        """Hands one message over; it is sent in the background."""
        while True:
            try:
                self._producer.produce(topic, value, key, partition, headers=headers or [])
                return
            except BufferError:
                self._make_room()
            except KafkaException as error:
                raise self._error(error.args[0]) from None

    def flush(self) -> None:
        """Waits until all that was handed over is on the broker."""
        self._persist(lambda timeout_s: self._producer.flush(timeout_s))

    def commit(self) -> None:
        """Ends the transaction; when it returns, all of it counts."""
        self._deliver()
        self._persist(self._producer.commit_transaction)

    def close(self) -> None:
        """Without a word to the broker: what is open stays so until the id's next owner. What went wrong, the
        call that failed has said."""
        with suppress(KafkaException):
            self._producer.close(0)

    def _deliver(self) -> None:
        """Until the broker has taken all of it, or refused something: the commit itself would see that only
        when its call has run out of time."""
        until_s = time.monotonic() + _CALL_S
        while self._producer.flush(_REPORT_S) and not self._refused and time.monotonic() < until_s:
            pass
        if self._refused:
            raise self._error(self._refused[0])

    def _make_room(self) -> None:
        """The queue is full: waits until the broker has taken something."""
        until_s, before = time.monotonic() + self._away_s, len(self._producer)
        while len(self._producer) >= before:
            self._producer.poll(0.05)
            if self._refused:
                raise self._error(self._refused[0])
            if time.monotonic() > until_s:
                raise BrokerDown(f"the broker took no message for {self._away_s:.0f} s", self.name)

    def _persist(self, call: Callable[[float], Any]) -> None:
        """`call` again and again while the client says that it may succeed."""
        until_s = time.monotonic() + self._away_s
        while True:
            try:
                call(max(0.1, min(_CALL_S, until_s - time.monotonic())))
                return
            except KafkaException as error:
                if not error.args[0].retriable() or time.monotonic() > until_s:
                    raise self._error(error.args[0]) from None
                time.sleep(0.05)

    def _undelivered(self, error: Any, message: Any) -> None:
        if error is not None and error.code() not in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT):
            self._refused.append(error)
            self._which = (
                self._which or f", {len(message.value() or b'')} bytes with key {message.key()!r:.60}"
            )

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            raise self._error(error.args[0]) from None

    def _error(self, error: Any) -> CaudalError:
        """The reason itself, where the client only says that the transaction must be aborted because of
        one."""
        first = self._refused[0] if self._refused else error
        if self._begun_s and self.age_s * 1000 >= self._timeout_ms:
            return TransactionTooLong(
                f"not ended within {self._timeout_ms / 1000:.0f} s ({first.name()})", self.name
            )
        found = named(first, self.name)
        found.what += self._which if isinstance(found, MessageRefused) else ""
        return found


def end_offset(client: Client, topic: str) -> int:
    """Behind the newest record of partition 0, committed or not. Raises TopicMissing, BrokerDown, …"""
    # not by an AdminClient: one new client in fifty waits three seconds before it asks
    asking, began_s = (
        Consumer(client.quiet(**{"group.id": _GROUP, "isolation.level": "read_uncommitted"})),
        time.monotonic(),
    )
    try:
        while True:
            try:
                return int(asking.get_watermark_offsets(TopicPartition(topic, 0), _CALL_S)[1])
            except KafkaException as error:
                if time.monotonic() - began_s > _may_pass_s(error.args[0].code()):
                    raise named(error.args[0], topic) from None
                time.sleep(0.05)
    finally:
        asking.close()


def _may_pass_s(code: int) -> float:
    """How long an answer of the broker may be one that another follows."""
    if code in _MISSING:
        return SETTLED_S
    return AWAY_S if code in _ELECTING | _AWAY else 0.0


def records(
    client: Client, topic: str, start: int, *, committed: bool = True, silence_s: float = AWAY_S
) -> tuple[list[tuple[bytes, bytes]], int]:
    """(key, value) of partition 0 from offset `start` to the end it has now, and that end.

    `committed`: waits until every transaction below that end is decided. Raises ServiceError when one is not
    within `silence_s`.
    """
    end = end_offset(client, topic)
    level = "read_committed" if committed else "read_uncommitted"
    consumer = Consumer(
        client.quiet(
            **{
                "group.id": _GROUP,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": level,
                "auto.offset.reset": "earliest",
                **librdkafka.QUICK_FETCH,
            }
        )
    )
    found: list[tuple[bytes, bytes]] = []
    try:
        consumer.assign([TopicPartition(topic, 0, start)])
        until_s, here = time.monotonic() + silence_s, start
        while here < end:
            for message in librdkafka.arrived(consumer, _FETCH_RECORDS, 0.1):
                here = max(here, _take(message, found))
            if time.monotonic() > until_s:
                raise ServiceError(
                    f"offsets {here} to {end - 1} could not be read within {silence_s:.0f} s: a transaction "
                    "is undecided",
                    topic,
                )
    finally:
        consumer.close()
    return found, end


def _take(message: Any, found: list[tuple[bytes, bytes]]) -> int:
    """Keeps the record; the offset up to which the partition is known by it. The end of what is decided comes
    as an error."""
    error = message.error()
    if error is None:
        found.append((message.key(), message.value()))
        return int(message.offset()) + 1
    if error.code() == KafkaError._PARTITION_EOF:
        return int(message.offset())
    raise named(error, message.topic())
