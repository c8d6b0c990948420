"""What goes into a topic and what comes out of it, on the real broker: counted, in order, committed only, to
the end and no further."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.kafka import consume, offsets, topics
from include.kafka.connection import connect
from include.kafka.produce import Message, messages, produce
from include.services.ports import Ports
from include.settings import Settings, load
from include.torture.brokers import free_ports, running
from jobs.contract.errors import BrokerDown, DeliveryFailed, TopicMissing, UsageError
from jobs.contract.stream import Topic

pytestmark = pytest.mark.broker


def make(broker: Settings, name: str, partitions: int = 1) -> str:
    topics.apply(topics.TopicPlan(connect(broker), (Topic(name, partitions=partitions),), (), ()))
    return name


def values(broker: Settings, topic: str) -> list[bytes | None]:
    return [r.value for r in consume.read(broker, topic)]


def test_records_come_back_whole_and_in_order(broker: Settings) -> None:
    topic = make(broker, "round-trip")
    sent = [Message(b'{"a":1}', b"k"), Message("año\0".encode()), Message(None, b"tombstone"), Message(b"")]
    done = produce(broker, topic, sent)
    assert (done.records, done.size_bytes) == (4, 7 + 5)
    found = list(consume.read(broker, topic))
    assert [(r.partition, r.offset, r.key, r.value) for r in found] == [
        (0, n, m.key, m.value) for n, m in enumerate(sent)
    ]
    assert all(abs(r.timestamp_ms / 1000 - time.time()) < 60 for r in found)


def test_many_records_arrive_each_once_and_fast(broker: Settings) -> None:
    topic = make(broker, "many", 3)
    done = produce(broker, topic, (Message(b"%d" % n, b"%d" % n) for n in range(150_000)))
    assert done.records == 150_000
    assert done.records / done.duration_s > 10_000  # 60,000-135,000 measured
    assert sorted(int(v or b"") for v in values(broker, topic)) == list(range(150_000))


def test_an_empty_topic_reads_as_nothing(broker: Settings) -> None:
    topic = make(broker, "empty", 2)
    assert (values(broker, topic), consume.tail(broker, topic, 5)) == ([], [])
    assert produce(broker, topic, []).records == 0


def test_records_without_a_key_are_spread_over_the_partitions(broker: Settings) -> None:
    topic = make(broker, "spread", 3)
    produce(broker, topic, [Message(b"x")] * 60)
    assert min(Counter(record.partition for record in consume.read(broker, topic))[p] for p in range(3)) > 5


def test_reading_stops_at_the_end_there_was_when_it_began(broker: Settings) -> None:
    topic = make(broker, "moving-end")
    produce(broker, topic, [Message(b"1"), Message(b"2")])
    reader = consume.read(broker, topic)
    assert next(reader).value == b"1"
    produce(broker, topic, [Message(b"3")])
    assert [r.value for r in reader] == [b"2"]


def test_the_tail_is_the_newest_over_all_partitions(broker: Settings) -> None:
    topic = make(broker, "tail", 3)
    for n in range(12):
        produce(broker, topic, [Message(b"%d" % n, b"%d" % n)])
    assert [r.value for r in consume.tail(broker, topic, 4)] == [b"8", b"9", b"10", b"11"]
    assert len(consume.tail(broker, topic, 100)) == 12
    assert consume.tail(broker, topic, 0) == []


def transaction(broker: Settings, topic: str, records: list[bytes], *, commit: bool) -> None:
    from confluent_kafka import Producer

    producer = Producer({**connect(broker).librdkafka(), "transactional.id": f"tx-{topic}"})
    producer.init_transactions(30)
    producer.begin_transaction()
    for record in records:
        producer.produce(topic, record)
    producer.flush(30)
    producer.commit_transaction(30) if commit else producer.abort_transaction(30)


def test_aborted_records_are_not_read_and_markers_do_not_hold_the_reader_up(broker: Settings) -> None:
    topic = make(broker, "transactions")
    transaction(broker, topic, [b"1", b"2"], commit=True)
    transaction(broker, topic, [b"lost"] * 50, commit=False)
    start_s = time.monotonic()
    assert values(broker, topic) == [b"1", b"2"]
    assert [r.value for r in consume.tail(broker, topic, 1)] == [
        b"2"
    ]  # it lies behind 52 offsets that hold nothing to read
    assert time.monotonic() - start_s < 10


def test_an_open_transaction_is_not_waited_for(broker: Settings) -> None:
    from confluent_kafka import Producer

    topic = make(broker, "hanging")
    produce(broker, topic, [Message(b"before")])
    producer = Producer({**connect(broker).librdkafka(), "transactional.id": "tx-hanging"})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"open")
    producer.flush(30)
    assert values(broker, topic) == [b"before"]
    producer.abort_transaction(30)


@pytest.mark.parametrize(
    "verb",
    [
        lambda s: list(consume.read(s, "no-such")),
        lambda s: consume.tail(s, "no-such", 1),
        lambda s: produce(s, "no-such", []),
    ],
)
def test_a_missing_topic_is_never_made_by_using_it(broker: Settings, verb: object) -> None:
    assert callable(verb)
    with pytest.raises(TopicMissing):
        verb(broker)
    assert "no-such" not in {t.name for t in topics.list_topics(broker)}


def test_a_record_that_is_too_long_fails_with_the_number_that_arrived(broker: Settings) -> None:
    topic = make(broker, "too-long")
    with pytest.raises(DeliveryFailed, match=r"2 of 3 records arrived, 1 failed \(MSG_SIZE_TOO_LARGE\)"):
        produce(broker, topic, [Message(b"1"), Message(b"x" * 2_000_000), Message(b"3")])
    assert values(broker, topic) == [b"1", b"3"]


def test_lines_become_messages_with_the_field_as_key() -> None:
    lines = [b'{"n":"a","v":1}\n', b"\n", b'{"n":2}\r\n', b'{"n":null}']
    assert [(m.key, m.value) for m in messages(lines, "n")] == [
        (b"a", b'{"n":"a","v":1}'),
        (b"2", b'{"n":2}'),
        (b"null", b'{"n":null}'),
    ]
    assert [(m.key, m.value) for m in messages(lines)][1] == (None, b'{"n":2}')


@pytest.mark.parametrize("line", [b"no json", b'{"m":1}', b"[1]", b"3", b'"n"'])
def test_a_line_without_the_key_field_stops_and_says_how_many_went_before(
    broker: Settings, line: bytes
) -> None:
    topic = make(broker, "bad-line")
    before = len(values(broker, topic))
    with pytest.raises(
        UsageError, match="line 2 is not a JSON object with a field n; the 1 records before it were sent"
    ):
        produce(broker, topic, messages([b'{"n":1}', line], "n"))
    assert len(values(broker, topic)) == before + 1


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Settings, int]]:
    """A broker to be harmed: (settings, pid)."""
    kafka, controller, airflow = free_ports(3)
    settings = load(
        {
            **os.environ,
            "CAUDAL_HOME": str(tmp_path / "home"),
            "CAUDAL_KAFKA_BOOTSTRAP": f"127.0.0.1:{kafka}",
            "CAUDAL_KAFKA_PROPERTIES": "",
        }
    )
    with running(settings, Ports(kafka, controller, airflow)) as process:
        yield settings, process.pid


@pytest.mark.torture
def test_a_broker_killed_in_mid_reading_or_sending_is_an_error_that_counts(own: tuple[Settings, int]) -> None:
    settings, pid = own
    topic = make(settings, "killed")
    produce(settings, topic, (Message(b"x" * 1000) for _ in range(50_000)))
    reader = consume.read(settings, topic, silence_s=2)
    next(reader)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(BrokerDown, match="delivered nothing for 2 s, before its end"):
        for _ in reader:
            pass
    with pytest.raises(BrokerDown):
        produce(settings, topic, [Message(b"y")])


@pytest.mark.torture
def test_records_that_were_never_acknowledged_are_not_counted_as_sent(own: tuple[Settings, int]) -> None:
    settings, pid = own
    topic = make(settings, "cut-off")

    def sending() -> Iterator[Message]:
        yield from (Message(b"%d" % n) for n in range(1000))
        while offsets.positions(settings, topic).records < 1000:
            time.sleep(0.1)
        time.sleep(0.5)  # the acknowledgements are on their way
        os.kill(pid, signal.SIGSTOP)
        yield from (Message(b"late") for _ in range(10))

    try:
        with pytest.raises(
            DeliveryFailed, match=r"1000 of 1010 records arrived, 10 failed \(_MSG_TIMED_OUT\)"
        ):
            produce(settings, topic, sending(), delivery_s=3)
    finally:
        os.kill(pid, signal.SIGCONT)
