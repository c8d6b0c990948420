"""Checks that the token topic exists and is still the same topic.

If it is not, nobody knows what of an open batch was sent. Then the run stops instead of sending the batch
again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, NewTopic

from jobs.contract.deadline import until
from jobs.contract.disk import storage
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import DataError, ServiceError, TokensLost, TopicMissing
from jobs.contract.run.spec import RunSpec
from jobs.core.kafka_sink.producer import AWAY_S, SETTLED_S, Client, named

if TYPE_CHECKING:
    from jobs.core.kafka_sink.worker import WorkerConfig

_VISIBLE_S = 15.0  # until a new topic is visible: 0.2 s on one node, longer on clusters


def require(spec: RunSpec, config: WorkerConfig, planned: int) -> None:
    """Creates the token topic if the stream has none, and stores its id on disk before anything is sent.

    `planned`: newest batch that an earlier run has planned. Raises TokensLost when tokens of this epoch were
    written to another topic and the current batch may already have been sent.
    """
    path, admin = Layout(Path(spec.home)).tokens(spec.stream.name), _admin(config.client)
    known = _read(path)
    found = settled_id(admin, config.token_topic) if known else _topic_id(admin, config.token_topic)
    if known.get("epoch") == config.epoch and known.get("topic_id") != found and config.batch <= planned:
        way = (
            f"./caudal generation rewind {spec.stream.name} --to-batch {config.batch - 1} --allow-repeats "
            "sends the whole open batch again"
        )
        raise TokensLost(
            f"the topic that records what of batch {config.batch} was sent is gone or was created again",
            config.token_topic,
            cli=way,
        )
    if found is None:
        _create(admin, spec)
        found = _topic_id(admin, config.token_topic)
    if (known.get("epoch"), known.get("topic_id")) != (config.epoch, found):
        storage.make_dirs(path.parent)
        storage.replace(
            path, json.dumps({"epoch": config.epoch, "topic": config.token_topic, "topic_id": found}).encode()
        )


def require_sink(client: Client, topic: str) -> None:
    """Raises TopicMissing when the sink's topic does not exist. A producer would wait for it for half a
    minute."""
    if settled_id(_admin(client), topic) is None:
        raise TopicMissing("the broker has no such topic", topic)


def _read(path: Path) -> dict[str, Any]:
    """{"epoch", "topic", "topic_id"} as written by `require`; {} before the first run. Raises DataError."""
    try:
        return dict(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DataError(
            f"unreadable ({type(error).__name__})",
            path,
            cli="if the token topic was never deleted, remove this file; then run again",
        ) from None


def settled_id(admin: AdminClient, topic: str) -> str | None:
    """The topic's id; None when the broker answers for SETTLED_S seconds that there is no such topic."""
    return until(lambda: _topic_id(admin, topic), SETTLED_S, 0.1)


def _admin(client: Client) -> AdminClient:
    return AdminClient(client.quiet())


def _topic_id(admin: AdminClient, topic: str) -> str | None:
    """The topic's id; None when there is no such topic."""
    try:
        return str(
            admin.describe_topics(TopicCollection([topic]), request_timeout=AWAY_S)[topic].result().topic_id
        )
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise named(error.args[0], topic) from None


def _create(admin: AdminClient, spec: RunSpec) -> None:
    topic = spec.stream.tokens
    assert topic  # noqa: S101 - the caller's condition
    try:
        new = NewTopic(topic.name, topic.partitions, -1, config=dict(topic.config))
        admin.create_topics([new], operation_timeout=AWAY_S)[topic.name].result()
    except KafkaException as error:
        # another run of this stream on another home may have created it a moment ago
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise named(error.args[0], topic.name) from None
    if not until(lambda: _topic_id(admin, topic.name), _VISIBLE_S, 0.05):
        what = f"the topic was created, but the broker does not list it within {_VISIBLE_S:.0f} s"
        raise ServiceError(what, topic.name)
