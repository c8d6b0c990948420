"""A broker that has just started may deny for a moment a topic that it has: one that comes half a second late
stands for it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import sleep

import pytest

from include.kafka import connection, offsets, topics
from include.settings import Settings
from jobs.contract.errors import TopicMissing
from jobs.contract.stream import Topic
from jobs.core.kafka_sink import producer, token_topic
from jobs.core.kafka_sink.producer import Client

pytestmark = pytest.mark.broker


@contextmanager
def late(broker: Settings, name: str) -> Iterator[str]:
    """The topic, made while the caller asks for it already."""

    def make() -> None:
        sleep(0.5)
        topics.apply(topics.TopicPlan(connection.connect(broker), (Topic(name, partitions=1),), (), ()))

    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(make)
        yield name
        made.result()


@pytest.fixture
def client(broker: Settings) -> Client:
    return Client(connection.connect(broker).librdkafka(), 60_000)


def test_the_end_of_a_token_topic_is_asked_again(broker: Settings, client: Client) -> None:
    with late(broker, "late-tokens") as topic:
        assert producer.end_offset(client, topic) == 0


def test_a_sink_is_asked_for_again(broker: Settings, client: Client) -> None:
    with late(broker, "late-sink") as topic:
        token_topic.require_sink(client, topic)


def test_offsets_of_a_known_topic_are_asked_again(broker: Settings) -> None:
    with late(broker, "late-offsets") as topic:
        assert offsets.Admin(connection.connect(broker), 10.0).offsets(topic, [0], end=True) == {0: 0}


def test_a_topic_that_stays_away_is_missing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (producer, token_topic):
        monkeypatch.setattr(module, "SETTLED_S", 0.5)
    with pytest.raises(TopicMissing, match="nowhere"):
        producer.end_offset(client, "nowhere")
    with pytest.raises(TopicMissing, match="nowhere"):
        token_topic.require_sink(client, "nowhere")
