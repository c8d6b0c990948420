"""Creates the topics of the registry, which declares their partitions and settings. Only missing topics are
created; differences are reported."""

from __future__ import annotations

import logging
import uuid
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from include.kafka import away
from include.kafka.connection import Connection, connect
from include.kafka.offsets import Admin
from include.settings import Settings
from jobs.contract.errors import CaudalError, ConfigError, ServiceError
from jobs.contract.stream import Stream, Topic

BOOTSTRAP_S = (
    # for a broker that has just started on a busy machine; one that refuses is reported within 1.1 s anyway
    15.0
)
VISIBLE_S = 15.0  # one node knows a new topic's leaders within 0.2 s; clusters take longer


@dataclass(frozen=True)
class Difference:
    """One setting of an existing topic that differs from the registry."""

    topic: str
    setting: str
    declared: str
    actual: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.actual}, declared {self.declared}"


@dataclass(frozen=True)
class TopicPlan:
    """`differences`: settings of existing topics that differ; they are not changed."""

    connection: Connection
    to_create: tuple[Topic, ...]
    as_declared: tuple[str, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Applied:
    """`met`: topics that somebody else created between plan and apply."""

    created: tuple[str, ...]
    met: tuple[str, ...]


@dataclass(frozen=True)
class TopicInfo:
    name: str
    topic_id: str
    partitions: int


def declared(streams: Iterable[Stream]) -> tuple[Topic, ...]:
    """All topics that the streams read or write, token topics included, by name. Raises ConfigError if two
    streams declare one differently."""
    found: dict[str, tuple[Topic, str]] = {}
    for stream in streams:
        for topic in (*stream.topics, *([stream.tokens] if stream.tokens else [])):
            other, owner = found.setdefault(topic.name, (topic, stream.name))
            if _wanted(other) != _wanted(topic):
                raise ConfigError(
                    f"streams {owner} and {stream.name} declare topic {topic.name} differently",
                    f"include/streams/{stream.name}.py",
                )
    return tuple(topic for _, (topic, _) in sorted(found.items()))


def plan(settings: Settings, streams: Iterable[Stream]) -> TopicPlan:
    """What `apply` would do. Read-only. Raises ConfigError, BrokerDown."""
    topics, connection = declared(streams), connect(settings)
    with _admin(connection) as admin:
        partitions = {t["name"]: len(t["partitions"]) for t in _describe(admin, [t.name for t in topics])}
        existing = [t for t in topics if t.name in partitions]
        settings_of = _configs(admin, existing)
    differences = tuple(d for t in existing for d in _differences(t, partitions[t.name], settings_of[t.name]))
    odd = {d.topic for d in differences}
    return TopicPlan(
        connection,
        tuple(t for t in topics if t.name not in partitions),
        tuple(t.name for t in existing if t.name not in odd),
        differences,
    )


def apply(plan: TopicPlan) -> Applied:
    """Creates the missing topics and waits until each has its leaders. It is no error if somebody else has
    created one meanwhile."""
    if not plan.to_create:
        return Applied((), ())
    wanted = {
        t.name: {"num_partitions": t.partitions, "replication_factor": -1, "configs": dict(t.config)}
        for t in plan.to_create
    }
    with _admin(plan.connection) as admin:
        answer = admin.create_topics(wanted, raise_errors=False)
        met = tuple(t["name"] for t in answer["topics"] if _already_there(t))
        admin.wait_for_topics(list(wanted), timeout_ms=VISIBLE_S * 1000)
    return Applied(tuple(sorted(wanted.keys() - set(met))), met)


def ensure(settings: Settings, streams: Iterable[Stream]) -> tuple[str, ...]:
    """Creates the topics that the streams declare and the broker lacks; returns their names. Raises
    ConfigError, BrokerDown."""
    return apply(plan(settings, streams)).created


def list_topics(settings: Settings) -> list[TopicInfo]:
    """All topics, except the broker's internal ones, by name."""
    with _admin(connect(settings)) as admin:
        found = [
            t
            for t in admin.describe_topics()
            if t["error_code"] == 0 and not t["is_internal"] and not t["name"].startswith("__")
        ]
        return sorted(
            (TopicInfo(t["name"], _id_text(t["topic_id"]), len(t["partitions"])) for t in found),
            key=lambda t: t.name,
        )


def _wanted(topic: Topic) -> tuple[int, dict[str, str]]:
    return topic.partitions, dict(topic.config)


@contextmanager
def _admin(connection: Connection) -> Iterator[Any]:
    """kafka-python's admin client. Its own log is silenced: what matters comes as an error."""
    with (
        warnings.catch_warnings()
    ):  # kafka-python loads its schemas with a function that Python 3.11 deprecates
        warnings.simplefilter("ignore", DeprecationWarning)
        from kafka.admin import KafkaAdminClient
        from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

    Admin(
        connection, BOOTSTRAP_S
    ).ask_cluster()  # asked first: kafka-python is slower to fail, and leaves its sockets open
    log = logging.getLogger("kafka")
    level, admin = log.level, None
    log.setLevel(logging.CRITICAL)
    try:
        admin = KafkaAdminClient(bootstrap_timeout_ms=BOOTSTRAP_S * 1000, **connection.kafka_python())
        yield admin
    except CaudalError:
        raise
    except (KafkaTimeoutError, KafkaConnectionError):
        raise away.explained("no broker answers in time", connection) from None
    except KafkaError as error:
        raise ServiceError(f"Kafka answers {type(error).__name__}", connection.bootstrap) from None
    finally:
        if admin is not None:
            admin.close()
        log.setLevel(level)


def _describe(admin: Any, names: list[str]) -> list[dict[str, Any]]:
    return [t for t in admin.describe_topics(names) if t["error_code"] == 0] if names else []


def _configs(admin: Any, topics: list[Topic]) -> dict[str, Mapping[str, Any]]:
    from kafka.admin import ConfigResource, ConfigResourceType

    if not topics:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, t.name) for t in topics]
    found: dict[str, Mapping[str, Any]] = next(
        iter(admin.describe_configs(resources, config_filter="all").values())
    )
    return found


def _differences(topic: Topic, partitions: int, actual: Mapping[str, Any]) -> Iterator[Difference]:
    if partitions != topic.partitions:
        yield Difference(topic.name, "partitions", str(topic.partitions), str(partitions))
    for key, value in topic.config:
        if key not in actual:
            raise ConfigError(f"the broker does not know the topic setting {key}", topic.name)
        if str(actual[key]["value"]) != value:
            yield Difference(topic.name, key, value, str(actual[key]["value"]))


def _already_there(answer: Mapping[str, Any]) -> bool:
    from kafka.errors import InvalidReplicationFactorError, TopicAlreadyExistsError, for_code

    if answer["error_code"] == 0:
        return False
    if answer["error_code"] == TopicAlreadyExistsError.errno:
        return True
    if (
        for_code(answer["error_code"]) is InvalidReplicationFactorError
    ):  # a cluster whose brokers are still starting answers this, too
        raise ServiceError(f"not enough brokers for the topic yet: {answer['error_message']}", answer["name"])
    raise ConfigError(
        f"the broker refuses the topic: {answer['error_message'] or for_code(answer['error_code']).__name__}",
        answer["name"],
    )


def _id_text(text: object) -> str:
    """A UUID as Kafka's own tools print it: 22 characters of file-safe base64."""
    return urlsafe_b64encode(uuid.UUID(str(text)).bytes).decode().rstrip("=")
