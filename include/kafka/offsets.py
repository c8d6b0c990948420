"""Reads the offsets that a topic holds now. The launcher asks before every Kafka run: 0.15 s with
confluent-kafka, 0.4 s with kafka-python."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from include import streams
from include.kafka import away
from include.kafka.connection import Connection, connect
from include.settings import Settings
from jobs.contract.errors import CaudalError, ConfigError, ServiceError, TopicMissing, UsageError
from jobs.contract.kafka import librdkafka
from jobs.contract.nearest import hint
from jobs.contract.stream import Stream, Topic

_POLL_S = 0.02
_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")  # the broker's own rule
_LIST, _LIST_S = "./caudal topics list", 5.0
# if all brokers refuse for this long, they are down; one that restarts is back before the next scheduled run
_REFUSED_S = 1.0


@dataclass(frozen=True)
class Positions:
    """Per partition: the first offset that is still there, and the offset of the next record. `topic_id`
    changes if the topic is deleted and created again.

    `decided`: where read_committed consumers stop: below the end while a transaction is open. Empty if nobody
    has asked for it.
    """

    topic: str
    topic_id: str
    earliest: dict[int, int]
    end: dict[int, int]
    decided: dict[int, int] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """The offsets between the two, including those of transaction markers and compacted records."""
        return sum(self.end.values()) - sum(self.earliest.values())


class _Moving(Exception):
    """A partition has no leader at present."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(what)
        self.what, self.where = what, where


class Admin:
    """confluent-kafka's admin client with one time budget, which starts now. Raises BrokerDown, TopicMissing,
    ConfigError, ServiceError."""

    def __init__(self, connection: Connection, timeout_s: float) -> None:
        from confluent_kafka import KafkaError, KafkaException
        from confluent_kafka.admin import AdminClient

        self._connection, self._end_s, self._refused_s = connection, time.monotonic() + timeout_s, 0.0
        self._failed, self._codes, self._denied = KafkaException, KafkaError, ""
        try:
            self._client: Any = AdminClient({**connection.librdkafka(), "error_cb": self._heard})
        except KafkaException as error:  # an invalid PEM file; a client that was built without SASL
            raise ConfigError(
                f"the Kafka client refuses its configuration ({error.args[0].name()})", connection.bootstrap
            ) from None

    def ask_cluster(self) -> None:
        """Raises BrokerDown unless a broker answers, or ConfigError if the login is refused."""
        self._result(
            self._ask(lambda left_s: self._client.describe_cluster(request_timeout=left_s)), "(none)"
        )

    def describe(self, topic: str) -> tuple[str, list[int]]:
        """(topic id, partition numbers). Raises UsageError if no topic can have that name."""
        from confluent_kafka import TopicCollection

        if not _NAME.fullmatch(topic):
            what = f"{topic[:40]!r} cannot be a topic: at most 249 of a-z, A-Z, digits, . _ and -"
            raise UsageError(what, "TOPIC", cli=f"{_LIST} shows the topics")
        futures = self._ask(
            lambda left_s: self._client.describe_topics(TopicCollection([topic]), request_timeout=left_s)
        )
        description = self._result(futures[topic], topic)
        return librdkafka.id_text(str(description.topic_id)), sorted(p.id for p in description.partitions)

    def offsets(
        self, topic: str, partitions: list[int], *, end: bool, committed: bool = False
    ) -> dict[int, int]:
        """The first offset of each partition; with `end` the next one; with `committed` the offset where
        read_committed consumers stop."""
        from confluent_kafka import IsolationLevel, TopicPartition
        from confluent_kafka.admin import OffsetSpec

        spec = OffsetSpec.latest() if end else OffsetSpec.earliest()
        level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        wanted = {TopicPartition(topic, p): spec for p in partitions}
        while True:
            futures = self._ask(
                lambda left_s: self._client.list_offsets(
                    wanted, isolation_level=level, request_timeout=left_s
                )
            )
            try:
                return {
                    tp.partition: self._offset(future, topic, tp.partition) for tp, future in futures.items()
                }
            except (
                _Moving,
                TopicMissing,
                # a leader is being elected, or a broker has just started: ask again while there is time
            ) as error:
                if time.monotonic() > self._end_s:
                    raise ServiceError(error.what, error.where) from None
                time.sleep(_POLL_S)

    def _offset(self, future: Future[Any], topic: str, partition: int) -> int:
        """The offset that the broker gave. If the leader could not be asked, the client reports no error but
        -1001, which is not an offset."""
        offset = int(self._result(future, topic).offset)
        if offset >= 0:
            return offset
        if time.monotonic() > self._end_s:
            raise away.explained(
                f"the leader of partition {partition} of topic {topic} does not answer in time",
                self._connection,
            )
        raise _Moving(f"partition {partition} of topic {topic} gives no offset", self._connection.bootstrap)

    def _heard(self, error: Any) -> None:
        if error.code() == self._codes._AUTHENTICATION:
            self._denied = "the broker refuses the login"
        elif error.code() == self._codes._SSL:
            self._denied = "no TLS connection (certificate or protocol)"
        elif error.code() == self._codes._ALL_BROKERS_DOWN and not self._refused_s:
            self._refused_s = time.monotonic()

    def _ask(self, call: Callable[[float], Any]) -> Any:
        return call(max(0.1, self._end_s - time.monotonic()))

    def _result(self, future: Future[Any], topic: str) -> Any:
        while not future.done():
            self._client.poll(_POLL_S)
            if self._denied:
                raise ConfigError(
                    self._denied, self._connection.bootstrap, cli="check CAUDAL_KAFKA_PROPERTIES"
                )
            if self._refused_s and time.monotonic() - self._refused_s > _REFUSED_S:
                raise away.explained("no broker answers", self._connection)
        try:
            return future.result()
        except self._failed as error:
            raise self._translated(error.args[0], topic) from None

    def _translated(self, error: Any, topic: str) -> Exception:
        if error.code() == self._codes.UNKNOWN_TOPIC_OR_PART:
            return missing(topic, self._connection.bootstrap, self._client)
        if error.code() in (self._codes._TIMED_OUT, self._codes._TRANSPORT, self._codes._ALL_BROKERS_DOWN):
            return away.explained("no broker answers in time", self._connection)
        if error.code() in (self._codes.TOPIC_AUTHORIZATION_FAILED, self._codes.CLUSTER_AUTHORIZATION_FAILED):
            return ConfigError(f"the login may not read topic {topic}", self._connection.bootstrap)
        moving = (self._codes.LEADER_NOT_AVAILABLE, self._codes.NOT_LEADER_FOR_PARTITION)
        just_started = (self._codes.UNKNOWN_LEADER_EPOCH, self._codes.FENCED_LEADER_EPOCH, self._codes._NOENT)
        if error.code() in (*moving, *just_started):
            return _Moving(f"topic {topic} has a partition without a leader", self._connection.bootstrap)
        return ServiceError(f"Kafka answers {error.name()} about topic {topic}", self._connection.bootstrap)


def missing(topic: str, where: str, client: Any) -> CaudalError:
    """An error for a topic that the broker lacks. A topic of the registry can be created; any other name is
    wrong. `client`: a confluent-kafka one."""
    known = streams.collect()[0]
    declared = {
        one.name for row in known.values() for one in (*row.topics, *([row.tokens] if row.tokens else []))
    }
    if topic in declared:
        return TopicMissing(f"no topic {topic}", where)
    if topic in known:
        return UsageError(f"{topic} is a stream, not a topic", where, cli=_of_stream(known[topic]))
    there = {
        name for name in client.list_topics(timeout=_LIST_S).topics if not name.startswith(("__", "lab_"))
    }
    return TopicMissing(
        f"no topic {topic[:40]}{hint(topic, sorted(declared | there))}",
        where,
        cli=f"{_LIST} shows the topics",
    )


def _of_stream(stream: Stream) -> str:
    """The commands that show the stream's topics or output."""
    source = [f"it reads ./caudal consume {stream.source.name}"] if isinstance(stream.source, Topic) else []
    look = (
        f"./caudal consume {stream.sink.name}"
        if isinstance(stream.sink, Topic)
        else f"./caudal show {stream.name}"
    )
    return "; ".join([*source, f"it writes {look}"])


def positions(settings: Settings, topic: str, timeout_s: float = 5.0) -> Positions:
    """Earliest, decided and end offset of every partition. Raises TopicMissing; BrokerDown within
    `timeout_s`, or within 1.1 s if all brokers refuse."""
    admin = Admin(connect(settings), timeout_s)
    topic_id, partitions = admin.describe(topic)
    earliest = admin.offsets(topic, partitions, end=False)
    decided = admin.offsets(topic, partitions, end=True, committed=True)
    return Positions(topic, topic_id, earliest, admin.offsets(topic, partitions, end=True), decided)


def topic_id(settings: Settings, topic: str, timeout_s: float = 5.0) -> str:
    """Kafka's own id of the topic (22 characters, as its tools print it). Raises TopicMissing, BrokerDown."""
    return Admin(connect(settings), timeout_s).describe(topic)[0]
