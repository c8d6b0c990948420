"""What seed_kafka_topics does, on the real broker and a real home; the DAG's wiring is tried in
tests/integration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include import settings as caudal
from include import streams
from include.airflow_kit import seed
from include.kafka import topics as kafka_topics
from include.samples import facturas
from include.settings import Settings
from jobs.contract.errors import TopicMissing, UnknownStream, UsageError
from jobs.contract.stream import Files, Stream, Topic

NOW = datetime(2026, 11, 23, 20, 15, 7, 250_000, tzinfo=UTC)
NOW_MS = 1_795_464_907_250


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return replace(caudal.load({}), home=tmp_path)


def test_files_hold_the_generator_s_invoices_one_a_line_and_the_totals_are_theirs(home: Settings) -> None:
    result = seed.put_files(home, "facturas_ficheros", 3, 20, seed=7, now=NOW)
    folder = home.layout.entrada("facturas_ficheros")
    names = [f"muestra-20261123T201507-0007-0{n}.json" for n in (1, 2, 3)]
    assert sorted(p.name for p in folder.iterdir()) == names == result["files"]
    lines = [line for name in names for line in (folder / name).read_text().splitlines()]
    assert [len((folder / name).read_text().splitlines()) for name in names] == [20, 20, 20]
    expected = facturas.generate(60, 7, NOW_MS)
    assert lines == expected.documents
    assert len({json.loads(line)["InvoiceNumber"] for line in lines}) == 60
    assert (result["stream"], result["folder"], result["seed"]) == ("facturas_ficheros", str(folder), 7)
    assert result["totals"] == expected.totals.to_json()


def test_no_files_asked_for_is_no_folder_and_no_complaint(home: Settings) -> None:
    assert seed.put_files(home, "facturas_ficheros", 0, 20, 7, NOW) == {
        "stream": "facturas_ficheros",
        "files": [],
    }
    assert list(home.home.iterdir()) == []


def test_a_file_that_is_there_is_never_written_over(home: Settings) -> None:
    first = seed.put_files(home, "facturas_ficheros", 1, 2, 7, NOW)
    path = Path(first["folder"]) / first["files"][0]
    before = path.read_bytes()
    with pytest.raises(UsageError, match="this sample file is there already"):
        seed.put_files(home, "facturas_ficheros", 1, 3, 7, NOW)
    assert path.read_bytes() == before


def test_a_stream_that_went_away_since_the_form_was_shown_is_one_line(home: Settings) -> None:
    with pytest.raises(UnknownStream):
        seed.put_files(home, "gone", 1, 3, 7, NOW)


def test_seed_0_follows_the_clock_and_comes_not_again_within_two_hours() -> None:
    start = int(NOW.timestamp())
    chosen = [seed.chosen_seed(0, datetime.fromtimestamp(start + s, UTC)) for s in range(7200)]
    assert len(set(chosen)) == 7200
    assert min(chosen) >= 1 and max(chosen) < facturas.SEEDS
    assert seed.chosen_seed(42, NOW) == 42


def test_the_limits_keep_a_seed_s_invoice_numbers_apart_from_the_next_one_s() -> None:
    assert seed.MESSAGES <= facturas.BLOCK
    assert seed.FILES * seed.INVOICES <= facturas.BLOCK


def test_the_form_offers_what_the_registry_has() -> None:
    fields = seed.params()
    topics = {t.name for s in streams.collect()[0].values() for t in s.topics}
    assert fields["topics"].schema["enum"] == ["all", *sorted(topics)]
    assert "facturas" in fields["messages_topic"].schema["enum"]
    assert "notificaciones" not in fields["messages_topic"].schema["enum"]
    assert "facturas_ficheros" in fields["files_stream"].schema["enum"]


def test_without_any_stream_of_invoices_the_form_still_stands_and_samples_are_refused(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Stream(name="bizums", source=Files("csv"), sink=Files())
    monkeypatch.setattr(streams, "collect", lambda: ({"bizums": other}, ()))
    fields = seed.params()
    assert {name: fields[name].resolve() for name in ("topics", "messages_topic", "files_stream")} == {
        "topics": "all",
        "messages_topic": "none",
        "files_stream": "none",
    }
    with pytest.raises(UsageError, match="no stream of the registry reads invoices"):
        seed.put_files(home, "none", 1, 3, 7, NOW)
    with pytest.raises(UsageError, match="no stream of the registry reads invoices"):
        seed.send_messages(home, "none", 1, 7, NOW)


def test_results_are_told_in_lines() -> None:
    result: dict[str, Any] = {
        "topic": "facturas",
        "messages": 1200,
        "totals": {"invoices": 1200, "total_amount": 3374.5},
        "created": [],
        "there": ["a", "b"],
    }
    assert seed.readable(result) == [
        "topic: facturas",
        "messages: 1,200",
        "totals: invoices 1,200, total_amount 3,374.5",
        "created: none",
        "there: a; b",
    ]


@pytest.fixture
def registry(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """A registry whose topics no other test has: (source, sink)."""
    name = f"seed_{abs(hash(request.node.name)) % 10**8}"
    one = Stream(
        name=name,
        source=Topic(f"{name}_in", partitions=2),
        sink=Topic(f"{name}_out", key="K", partitions=1),
        tags=("facturas",),
    )
    monkeypatch.setattr(streams, "collect", lambda: ({"one": one}, ()))
    yield f"{name}_in", f"{name}_out"


@pytest.mark.broker
def test_topics_are_made_once_and_a_different_one_is_reported_and_left(
    broker: Settings, registry: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, sink = registry
    name = source.removesuffix("_in")
    tokens = f"caudal-tokens-{name}"
    assert seed.make_topics(broker, source) == {"created": [source], "already_there": [], "differences": []}
    assert seed.make_topics(broker, "all") == {
        "created": [tokens, sink],
        "already_there": [source],
        "differences": [],
    }
    changed = Stream(name=name, source=Topic(source, partitions=5), sink=Topic(sink, key="K", partitions=1))
    monkeypatch.setattr(streams, "collect", lambda: ({"one": changed}, ()))
    expected = {
        "created": [],
        "already_there": [tokens, sink],
        "differences": [f"{source}: partitions is 2, declared 5"],
    }
    assert seed.make_topics(broker, "all") == expected
    assert seed.make_topics(broker, sink) == {"created": [], "already_there": [sink], "differences": []}
    assert {t.name: t.partitions for t in kafka_topics.list_topics(broker)}[source] == 2


@pytest.mark.broker
def test_messages_arrive_as_generated_and_a_missing_topic_is_named_before_any_is_sent(
    broker: Settings, registry: tuple[str, str]
) -> None:
    source, _ = registry
    with pytest.raises(TopicMissing):
        seed.send_messages(broker, source, 5, 3, NOW)
    seed.make_topics(broker, source)
    result = seed.send_messages(broker, source, 250, 3, NOW)
    expected = facturas.generate(250, 3, NOW_MS)
    assert result == {"topic": source, "messages": 250, "seed": 3, "totals": expected.totals.to_json()}
    assert sorted(values(broker, source, 250)) == sorted(expected.documents)


def values(broker: Settings, topic: str, count: int) -> list[str]:
    from confluent_kafka import Consumer

    consumer = Consumer(
        {"bootstrap.servers": broker.kafka_bootstrap, "group.id": topic, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    try:
        found = consumer.consume(count, timeout=20)
        assert consumer.consume(1, timeout=1) == []
    finally:
        consumer.close()
    return [message.value().decode() for message in found]
