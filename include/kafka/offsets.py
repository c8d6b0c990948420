"""From where to where a topic reaches now. The launcher asks before every Kafka run: 0.15 s with confluent-kafka, 0.4 s with kafka-python."""

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
_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")  # as the broker has it
_LIST, _LIST_S = "./caudal topics list", 5.0
# all brokers refusing for this long is an answer: a restarting one comes back within the next scheduled run
_REFUSED_S = 1.0


@dataclass(frozen=True)
class Positions:
    """Per partition: first offset still there, and the one the next record gets. `topic_id` changes when the topic is made anew.

    `decided`: where readers of committed records stop, below the end while a transaction is open; empty where nobody has asked.
    """

    topic: str
    topic_id: str
    earliest: dict[int, int]
    end: dict[int, int]
    decided: dict[int, int] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """Offsets between the two; transaction markers and compacted records count, too."""
        return sum(self.end.values()) - sum(self.earliest.values())


class _Moving(Exception):
    """A partition has no leader just now."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(what)
        self.what, self.where = what, where


class Admin:
    """confluent-kafka's admin client under one time budget, which starts now. Errors come as BrokerDown, TopicMissing, ConfigError, ServiceError."""

    def __init__(self, connection: Connection, timeout_s: float) -> None:
        from confluent_kafka import KafkaError, KafkaException
        from confluent_kafka.admin import AdminClient

        self._connection, self._end_s, self._refused_s = connection, time.monotonic() + timeout_s, 0.0
        self._failed, self._codes, self._denied = KafkaException, KafkaError, ""
        try:
            self._client: Any = AdminClient({**connection.librdkafka(), "error_cb": self._heard})
        except KafkaException as error:  # a PEM file that is none, a client that was built without SASL
            raise ConfigError(
                f"the Kafka client refuses its configuration ({error.args[0].name()})", connection.bootstrap
            ) from None

    def ask_cluster(self) -> None:
        """Raises BrokerDown, or ConfigError for a refused login, unless a broker answers."""
        self._result(
            self._ask(lambda left_s: self._client.describe_cluster(request_timeout=left_s)), "(none)"
        )

    def describe(self, topic: str) -> tuple[str, list[int]]:
        """(topic id, partition numbers). Raises UsageError for what no topic can be called."""
        from confluent_kafka import TopicCollection

        if not _NAME.fullmatch(topic):
            what = f"{topic[:40]!r} cannot be the name of a topic: letters a-z and A-Z, digits, . _ and -, 249 at most"
            raise UsageError(what, "TOPIC", cli=f"{_LIST} names those there are")
        futures = self._ask(
            lambda left_s: self._client.describe_topics(TopicCollection([topic]), request_timeout=left_s)
        )
        found = self._result(futures[topic], topic)
        return librdkafka.id_text(str(found.topic_id)), sorted(p.id for p in found.partitions)

    def offsets(
        self, topic: str, partitions: list[int], *, end: bool, committed: bool = False
    ) -> dict[int, int]:
        """The first (or, with `end`, the next) offset of each partition of a topic that is there; `committed`: where readers of committed
        records stop.
        """
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
            ) as error:  # a leader is being chosen, a broker has just started: ask again while there is time
                if time.monotonic() > self._end_s:
                    raise ServiceError(error.what, error.where) from None
                time.sleep(_POLL_S)

    def _offset(self, future: Future[Any], topic: str, partition: int) -> int:
        """A leader that could not be asked is no error to the client: it gives -1001, which is no offset."""
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
    """The broker has no such topic: one that the registry declares can be made, of another the name is wrong. `client`: a confluent-kafka one."""
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
        cli=f"{_LIST} names those there are",
    )


def _of_stream(stream: Stream) -> str:
    """What to type about its topics."""
    source = [f"it reads ./caudal consume {stream.source.name}"] if isinstance(stream.source, Topic) else []
    look = (
        f"./caudal consume {stream.sink.name}"
        if isinstance(stream.sink, Topic)
        else f"./caudal show {stream.name}"
    )
    return "; ".join([*source, f"it writes {look}"])


def positions(settings: Settings, topic: str, timeout_s: float = 5.0) -> Positions:
    """Earliest, decided and end offset of every partition. Raises TopicMissing; BrokerDown within `timeout_s`, and within 1.1 s when all refuse."""
    admin = Admin(connect(settings), timeout_s)
    topic_id, partitions = admin.describe(topic)
    earliest = admin.offsets(topic, partitions, end=False)
    decided = admin.offsets(topic, partitions, end=True, committed=True)
    return Positions(topic, topic_id, earliest, admin.offsets(topic, partitions, end=True), decided)


def topic_id(settings: Settings, topic: str, timeout_s: float = 5.0) -> str:
    """Kafka's own id of the topic (22 characters, as its tools print it). Raises TopicMissing, BrokerDown."""
    return Admin(connect(settings), timeout_s).describe(topic)[0]
