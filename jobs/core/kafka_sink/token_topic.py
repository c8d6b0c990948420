"""Is the token topic there, and the one that this stream's tokens are on? A lost one is no reason to send
again what may have been sent."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, NewTopic

from jobs.contract.disk import storage
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import DataError, ServiceError, TokensLost, TopicMissing
from jobs.contract.run.spec import RunSpec
from jobs.core.kafka_sink.producer import AWAY_S, SETTLED_S, Client, named

if TYPE_CHECKING:
    from jobs.core.kafka_sink.worker import Order

_VISIBLE_S = 15.0  # 0.2 s on one node; clusters take longer


def require(spec: RunSpec, order: Order, planned: int) -> None:
    """Makes the topic where the stream has none yet, and writes down which it is before anything is sent.

    `planned`: newest batch that an earlier run has planned. Raises TokensLost when tokens of this very epoch
    were written on another topic, and the batch at hand may be one that was sent then.
    """
    path, admin = Layout(Path(spec.home)).tokens(spec.stream.name), _admin(order.client)
    known = _read(path)
    found = settled_id(admin, order.token_topic) if known else _topic_id(admin, order.token_topic)
    if known.get("epoch") == order.epoch and known.get("topic_id") != found and order.batch <= planned:
        way = (
            f"./caudal generation rewind {spec.stream.name} --to-batch {order.batch - 1} --allow-repeats "
            "sends the open batch again, as a whole"
        )
        raise TokensLost(
            f"the topic that tells what of batch {order.batch} was sent is gone or was made anew",
            order.token_topic,
            cli=way,
        )
    if found is None:
        _create(admin, spec)
        found = _topic_id(admin, order.token_topic)
    if (known.get("epoch"), known.get("topic_id")) != (order.epoch, found):
        storage.make_dirs(path.parent)
        storage.replace(
            path, json.dumps({"epoch": order.epoch, "topic": order.token_topic, "topic_id": found}).encode()
        )


def require_sink(client: Client, topic: str) -> None:
    """Raises TopicMissing: a producer would wait half a minute for a topic that is not there."""
    if settled_id(_admin(client), topic) is None:
        raise TopicMissing("the broker has no such topic", topic)


def _read(path: Path) -> dict[str, Any]:
    """Raises DataError."""
    try:
        return dict(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DataError(
            f"unreadable ({type(error).__name__})",
            path,
            cli="remove it if the token topic was never deleted; then run again",
        ) from None


def settled_id(admin: AdminClient, topic: str) -> str | None:
    """The broker's own id; None when it says for SETTLED_S that there is no such topic."""
    until_s = time.monotonic() + SETTLED_S
    while (found := _topic_id(admin, topic)) is None and time.monotonic() < until_s:
        time.sleep(0.1)
    return found


def _admin(client: Client) -> AdminClient:
    return AdminClient(client.quiet())


def _topic_id(admin: AdminClient, topic: str) -> str | None:
    """The broker's own id; None when there is no such topic."""
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
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise named(error.args[0], topic.name) from None
    until_s = time.monotonic() + _VISIBLE_S
    while _topic_id(admin, topic.name) is None:
        if time.monotonic() > until_s:
            raise ServiceError(
                f"the topic was made, but the broker does not show it within {_VISIBLE_S:.0f} s", topic.name
            )
        time.sleep(0.05)
