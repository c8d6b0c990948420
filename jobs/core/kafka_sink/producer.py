"""A producer for one transactional id, and a reader of a one-partition topic. Each Kafka error becomes one of
Caudal's.

It runs in the driver and in Spark's Python workers, so it imports nothing of Spark.
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

# Seconds. A broker that restarts is back within this time. A run that waits longer only keeps its lease.
AWAY_S = 90.0
SETTLED_S = 3.0  # a broker that has just started may answer for a moment that a topic does not exist
_CALL_S = 10.0  # one call into the client; the next call continues what this one began
_REPORT_S = 0.1  # delay until a rejected message is noticed
_FETCH_RECORDS = 5000  # a token is about 200 bytes, so this is a megabyte
_GROUP = "caudal-tokens"
_SENDING: Mapping[str, Any] = {
    # Few large requests: no consumer sees a message before its transaction is committed, so 20 ms cost
    # nothing.
    "linger.ms": 20,
    "batch.size": 524_288,
    # The Java client's choice, so a key stays on its partition when a stream changes from Spark's own sink to
    # this one.
    "partitioner": "murmur2_random",
    "message.max.bytes": 1_000_000_000,  # the broker decides which message is too large, not the client
    "queue.buffering.max.messages": 200_000,
    "queue.buffering.max.kbytes": 65_536,  # bounds the memory of one worker
    "delivery.report.only.error": True,
    # The first step of a growing back-off. Opening an id needs one or two retries, so the default of 100 ms
    # would be felt.
    "retry.backoff.ms": 20,
    "reconnect.backoff.ms": 20,
}
_COORDINATOR = "__transaction_state"  # any topic would do to get connected; this one holds the transactions
Headers = list[tuple[str, bytes]]
# Codes of the broker and of the client, grouped by what they mean for a run.
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
    """The Caudal error for a KafkaError."""
    code = error.code()
    if code in _FENCED:
        return Fenced("another producer has taken over this transactional id", where)
    if code in _AWAY:
        return BrokerDown(f"no broker answers in time ({error.name()})", where)
    if code in _DENIED:
        what = f"Kafka refuses the login, or the login has too few rights ({error.name()})"
        return ConfigError(what, where, cli="check CAUDAL_KAFKA_PROPERTIES and the rights of its user")
    if code in _MISSING:
        return TopicMissing("the broker has no such topic", where)
    if code in _TOO_BIG:
        return MessageRefused(f"the broker rejected a message ({error.name()})", where)
    if code == KafkaError.INVALID_TRANSACTION_TIMEOUT:
        return TimeoutRefused("the broker allows no transaction of this length", where)
    return ServiceError(f"Kafka answers {error.name()}", where)


@dataclass(frozen=True)
class Client:
    """librdkafka's connection options, and the transaction timeout. The options may hold a password, so repr
    hides them."""

    options: Mapping[str, Any]
    timeout_ms: int

    def __repr__(self) -> str:
        return f"Client({self.options.get('bootstrap.servers')}, timeout_ms={self.timeout_ms})"

    def quiet(self, **more: Any) -> dict[str, Any]:
        """Options for a client that logs nothing. Failed calls raise an error, and that is enough."""
        return {**self.options, "log_level": 0, "error_cb": _unheard, **more}


def _unheard(_error: Any) -> None:
    """Ignores errors of single connections: the client reconnects. If it cannot, the next call fails."""


class TransactionalProducer:
    """A producer that owns transactional id `name`. Opening it fences every other producer of the id, and
    aborts or commits the open transaction.

    `away_s`: how long a broker that does not answer is waited for. Every method may raise BrokerDown, Fenced,
    TransactionTooLong, MessageRefused, TopicMissing, ConfigError or ServiceError. Then the transaction is not
    committed, and the next owner of the id aborts it.
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
                f"the Kafka client rejects its configuration ({error.args[0].name()})", name
            ) from None
        librdkafka.meet(self._producer, _COORDINATOR)
        self._persist(self._producer.init_transactions)

    @property
    def age_s(self) -> float:
        """Seconds since the open transaction began."""
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
        """Puts one message into the client's queue. It is sent in the background."""
        while True:
            try:
                self._producer.produce(topic, value, key, partition, headers=headers or [])
                return
            except BufferError:
                self._make_room()
            except KafkaException as error:
                raise self._error(error.args[0]) from None

    def flush(self) -> None:
        """Waits until the broker has all queued messages."""
        self._persist(lambda timeout_s: self._producer.flush(timeout_s))

    def commit(self) -> None:
        """Commits the transaction. When this returns, consumers can see all of its messages."""
        self._deliver()
        self._persist(self._producer.commit_transaction)

    def close(self) -> None:
        """Closes the client without telling the broker. An open transaction stays open until the id's next
        owner aborts it. Errors are ignored: the call that failed has raised them."""
        with suppress(KafkaException):
            self._producer.close(0)

    def _deliver(self) -> None:
        """Flush, and stop at the first rejection: commit() would report it only after its timeout."""
        until_s = time.monotonic() + _CALL_S
        while self._producer.flush(_REPORT_S) and not self._refused and time.monotonic() < until_s:
            pass
        if self._refused:
            raise self._error(self._refused[0])

    def _make_room(self) -> None:
        """Waits until the full queue has room again."""
        until_s, before = time.monotonic() + self._away_s, len(self._producer)
        while len(self._producer) >= before:
            self._producer.poll(0.05)
            if self._refused:
                raise self._error(self._refused[0])
            if time.monotonic() > until_s:
                raise BrokerDown(f"the broker accepted no message for {self._away_s:.0f} s", self.name)

    def _persist(self, call: Callable[[float], Any]) -> None:
        """Repeats `call` (its argument: a timeout in seconds) while the client calls its error retriable."""
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
        # an aborted transaction purges its queue: each purged message is a consequence, not the reason
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
        """The first rejection, if there was one: afterwards the client only says that the transaction must be
        aborted."""
        first = self._refused[0] if self._refused else error
        if self._begun_s and self.age_s * 1000 >= self._timeout_ms:
            return TransactionTooLong(
                f"not ended within {self._timeout_ms / 1000:.0f} s ({first.name()})", self.name
            )
        reason = named(first, self.name)
        reason.what += self._which if isinstance(reason, MessageRefused) else ""
        return reason


def end_offset(client: Client, topic: str) -> int:
    """The offset after the newest record of partition 0, committed or not. Raises TopicMissing, BrokerDown
    and other service errors."""
    # A consumer, not an AdminClient: one new AdminClient in fifty waits three seconds before its first
    # request.
    consumer = Consumer(client.quiet(**{"group.id": _GROUP, "isolation.level": "read_uncommitted"}))
    began_s = time.monotonic()
    try:
        while True:
            try:
                return int(consumer.get_watermark_offsets(TopicPartition(topic, 0), _CALL_S)[1])
            except KafkaException as error:
                if time.monotonic() - began_s > _may_pass_s(error.args[0].code()):
                    raise named(error.args[0], topic) from None
                time.sleep(0.05)
    finally:
        consumer.close()


def _may_pass_s(code: int) -> float:
    """Seconds for which this answer of the broker may be temporary."""
    if code in _MISSING:
        return SETTLED_S
    return AWAY_S if code in _ELECTING | _AWAY else 0.0


def records(
    client: Client, topic: str, start: int, *, committed: bool = True, silence_s: float = AWAY_S
) -> tuple[list[tuple[bytes, bytes]], int]:
    """(key, value) of each record of partition 0, from offset `start` to its present end; and that end.

    `committed`: waits until every transaction below that end is committed or aborted. Raises ServiceError
    when one is still open after `silence_s` seconds.
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
    entries: list[tuple[bytes, bytes]] = []
    try:
        consumer.assign([TopicPartition(topic, 0, start)])
        until_s, here = time.monotonic() + silence_s, start
        while here < end:
            for message in librdkafka.arrived(consumer, _FETCH_RECORDS, 0.1):
                here = max(here, _take(message, entries))
            if time.monotonic() > until_s:
                raise ServiceError(
                    f"offsets {here} to {end - 1} could not be read within {silence_s:.0f} s: a transaction "
                    "is still open",
                    topic,
                )
    finally:
        consumer.close()
    return entries, end


def _take(message: Any, entries: list[tuple[bytes, bytes]]) -> int:
    """Appends the record to `entries`. Returns the offset up to which the partition has been read.

    A consumer does not count offsets of aborted transactions and of control records. The "end of partition"
    event tells how far it came.
    """
    error = message.error()
    if error is None:
        entries.append((message.key(), message.value()))
        return int(message.offset()) + 1
    if error.code() == KafkaError._PARTITION_EOF:
        return int(message.offset())
    raise named(error, message.topic())
