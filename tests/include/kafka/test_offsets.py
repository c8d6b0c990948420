"""Positions of a topic, asked of the real broker; a missing broker or topic is named, quickly."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from include import settings as caudal
from include.kafka import offsets, topics
from include.kafka.connection import connect
from include.kafka.produce import Message, produce
from include.settings import Settings
from jobs.contract.errors import BrokerDown, TopicMissing
from jobs.contract.stream import Topic


def make(broker: Settings, name: str, partitions: int = 3) -> str:
    topics.apply(topics.TopicPlan(connect(broker), (Topic(name, partitions=partitions),), (), ()))
    return name


@pytest.mark.broker
def test_a_fresh_topic_begins_and_ends_at_zero_in_every_partition(broker: Settings) -> None:
    found = offsets.positions(broker, make(broker, "offsets-fresh", 2))
    assert (found.topic, found.earliest, found.end, found.records) == (
        "offsets-fresh",
        {0: 0, 1: 0},
        {0: 0, 1: 0},
        0,
    )


@pytest.mark.broker
def test_ends_count_what_was_produced(broker: Settings) -> None:
    topic = make(broker, "offsets-counted")
    produce(broker, topic, [Message(b"v", str(n).encode()) for n in range(100)])
    found = offsets.positions(broker, topic)
    assert sum(found.end.values()) == found.records == 100
    assert all(end > 0 for end in found.end.values())


@pytest.mark.broker
def test_the_topic_id_is_the_same_by_both_clients_and_another_after_it_was_made_anew(
    broker: Settings,
) -> None:
    topic = make(broker, "offsets-anew")
    first = offsets.topic_id(broker, topic)
    assert (
        first
        == offsets.positions(broker, topic).topic_id
        == next(t.topic_id for t in topics.list_topics(broker) if t.name == topic)
    )
    from kafka.admin import KafkaAdminClient  # behind list_topics, which quiets the warnings of its import

    admin = KafkaAdminClient(**connect(broker).kafka_python())
    admin.delete_topics([topic])
    admin.close()
    make(broker, topic)
    assert offsets.topic_id(broker, topic) != first


@pytest.mark.broker
def test_a_missing_topic_is_named_with_the_way_to_make_it(broker: Settings) -> None:
    with pytest.raises(
        TopicMissing, match=r"topic-missing: no topic nowhere \[127\.0\.0\.1:\d+\] -> \./caudal topics list "
    ):
        offsets.positions(broker, "nowhere")


def test_a_refused_connection_is_broker_down_within_two_seconds(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound, not listening: refused, and nobody else can take it
        settings = caudal.load(
            {"CAUDAL_HOME": str(tmp_path), "CAUDAL_KAFKA_BOOTSTRAP": f"127.0.0.1:{free.getsockname()[1]}"}
        )
        start_s = time.monotonic()
        with pytest.raises(BrokerDown, match=r"\./caudal up"):
            offsets.positions(settings, "facturas")
        assert time.monotonic() - start_s < 2


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[Settings]:
    """A server that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield caudal.load(
            {"CAUDAL_HOME": str(tmp_path), "CAUDAL_KAFKA_BOOTSTRAP": f"127.0.0.1:{server.getsockname()[1]}"}
        )


def test_a_broker_that_never_answers_costs_the_budget_and_no_more(silent: Settings) -> None:
    start_s = time.monotonic()
    with pytest.raises(BrokerDown, match="in time"):
        offsets.positions(silent, "facturas", timeout_s=1.0)
    assert 0.9 < time.monotonic() - start_s < 5  # and 2 s to hear whether it sends its clients elsewhere


@pytest.mark.broker
def test_import_and_question_cost_the_launcher_little(broker: Settings) -> None:
    """Measured 0.10-0.17 s; three attempts, since other tests may run beside."""
    topic = make(broker, "offsets-quick")
    code = (
        "import time; start = time.perf_counter()\nfrom include import settings\nfrom include.kafka "
        "import offsets\n"
        f"offsets.positions(settings.load({{'CAUDAL_KAFKA_BOOTSTRAP': '{broker.kafka_bootstrap}'}}), "
        f"'{topic}')\nprint(time.perf_counter() - start)"
    )
    argv = [sys.executable, "-c", code]
    times = [
        float(subprocess.run(argv, cwd=broker.root, capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(times) < 0.3


@pytest.mark.broker
def test_a_home_knows_its_broker_by_the_remembered_port(broker: Settings) -> None:
    topic = make(broker, "offsets-remembered")
    broker.layout.state.mkdir(exist_ok=True)
    (broker.layout.state / "ports.json").write_text(
        f'{{"kafka": {broker.kafka_bootstrap.partition(":")[2]}}}'
    )
    assert offsets.positions(replace(broker, kafka_bootstrap=""), topic).end == {0: 0, 1: 0, 2: 0}
