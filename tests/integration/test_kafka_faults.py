"""Kafka's faults on the real broker: each ends right or in a named error, and the next run is right.

docs/kafka.md is their table. The stream goes from topic to topic; a stream from a topic to files reads with
the same code.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType

from include.housekeeping.generations import rewind, rollover
from include.kafka import offsets
from include.launch import plan as launch
from include.torture.brokers import Broker
from include.torture.topic_world import NAME
from jobs.contract.disk import failpoints
from jobs.contract.stream import Checks, EventTime
from jobs.core.kafka_sink.producer import TransactionalProducer
from jobs.domain import facturas
from tests.integration.faults import OVERRIDES, Faulty, paused, warned
from tests.jobs.core.test_transactions import cut
from tests.matrix import long

pytestmark = [pytest.mark.spark, pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(600)]
YEAR_1970_MS, YEAR_2099_MS = 86_400_000, 4_070_908_800_000
# by default, Kafka 4 refuses records that are dated more than an hour ahead
ANY_TIME = (("retention.ms", "-1"), ("message.timestamp.after.max.ms", "9223372036854775807"))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker for this file alone: its tests stop and kill it."""
    broker = Broker(tmp_path_factory.mktemp("faults"), *OVERRIDES)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def world(spark: Any, own: Broker, tmp_path: Path) -> Faulty:
    """A new home and new topics. The token topic is made anew: each run would fence the ids of earlier tests,
    too."""
    world = Faulty(own.settings, tmp_path, spark=spark)
    world.make_anew(f"caudal-tokens-{NAME}", 1)
    return world


# topics and partitions


@pytest.mark.fault("the source topic is deleted and created again")
@pytest.mark.parametrize("longer", [False, long(True)])
def test_a_source_made_anew_stops_the_stream_by_name_however_long_it_is(world: Faulty, longer: bool) -> None:
    world.produce(90)
    assert world.ends() == ""
    world.make_anew(world.source)
    world.put(*[world.invoice() for _ in range(120 if longer else 5)])
    assert world.ends() == "topic-recreated"
    assert "./caudal generation rollover" in str(world.error)
    world.right_result()


@pytest.mark.fault("the source topic is deleted and created again while a run reads it")
def test_a_source_made_anew_while_a_run_reads_it_stops_the_run_before_anything_is_sent(
    world: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.produce(60)
    assert world.ends() == ""
    world.put(*[world.invoice() for _ in range(30)])
    again = [world.invoice() for _ in range(120)]

    def hit(name: str) -> None:
        if name == "planned" and again:
            world.make_anew(world.source)
            for partition in range(3):  # all of the planned offsets are there, and mean other records
                world.put(*again, partition=partition)
            again.clear()

    with monkeypatch.context() as patch:
        patch.setattr(failpoints, "hit", hit)
        assert world.ends() == "topic-recreated"
    assert not again
    world.right_result()
    assert world.ends() == "topic-recreated"


@pytest.mark.fault("retention takes records before they are read")
def test_records_that_retention_took_before_they_were_planned_are_named(world: Faulty) -> None:
    world.produce(60)
    assert world.ends() == ""
    world.put(*[world.invoice() for _ in range(30)])
    world.drop(before=-1)
    assert world.ends() == "offsets-lost"
    assert "offsets 20 to 49 were never read" in str(world.error)
    world.right_result()


@pytest.mark.fault("retention takes records of a batch that is planned and not done")
@pytest.mark.parametrize(("before", "left"), [long((-1, 0)), (30, 20)])
def test_records_that_retention_took_of_an_open_batch_are_named(
    world: Faulty, monkeypatch: pytest.MonkeyPatch, before: int, left: int
) -> None:
    world.produce(60)
    assert world.ends() == ""
    world.put(*[world.invoice() for _ in range(30)])
    with cut(monkeypatch, "planned"):
        world.run_here()
    world.drop(before=before)
    assert world.ends() == "offsets-lost"
    assert world.ends() == "offsets-lost"  # again, and nothing of the batch was sent
    world.right_result()
    world.do(rewind.plan, to_batch=0, allow_repeats=True)
    world.do(rollover.plan, accept_loss=True)
    for number in range(world.number - left + 1, world.number + 1):
        world.due(number)
    world.produce(3)
    assert world.ends() == "", world.error
    world.right_result()


@pytest.mark.fault("partitions are added to the source topic")
@pytest.mark.fault("partitions are added to the sink topic")
def test_partitions_made_meanwhile_are_read_from_their_first_record_and_written(world: Faulty) -> None:
    from confluent_kafka.admin import NewPartitions

    world.produce(60)
    assert world.ends() == ""
    world.add_partition()
    world.admin().create_partitions([NewPartitions(world.sink, 5)])[world.sink].result(30)
    world.produce(120)
    assert world.ends() == ""
    world.right_result(order=False)  # a key's later messages may be on another partition than its first ones
    assert offsets.positions(world.settings, world.sink).end.keys() == {0, 1, 2, 3, 4}
    assert min(offsets.positions(world.settings, world.sink).end.values()) > 0


@pytest.mark.fault("the source topic is missing")
@pytest.mark.fault("the sink topic is missing")
@pytest.mark.fault("the sink topic is deleted and created again")
def test_a_missing_topic_is_named_soon_and_a_new_sink_gets_what_is_new(world: Faulty) -> None:
    world.produce(30)
    world.delete(world.sink)
    begin_s = time.monotonic()
    assert world.ends() == "topic-missing"
    assert time.monotonic() - begin_s < 15
    assert world.sink in str(world.error)
    world.recreate_sink()
    assert world.ends() == ""
    world.right_result()
    world.make_anew(world.sink)
    world.sent.clear()
    world.produce(30)
    assert world.ends() == ""
    world.right_result()
    world.delete(world.source)
    assert world.ends() == "topic-missing"


# records


@pytest.mark.fault("a null value (tombstone)")
@pytest.mark.fault("an empty value, or only blanks")
@pytest.mark.fault("a null key, a key that is not UTF-8")
@pytest.mark.fault("headers on a source record")
def test_records_as_they_should_not_be_are_sent_or_refused_one_by_one(world: Faulty) -> None:
    world.put(None, b"", b"  ", b"{")
    for options in (
        {"key": None},
        {"key": b"\xff\xfe\x00"},
        {"headers": [("caudal-source", b"\xff"), ("trace", None)]},
    ):
        world.put(world.invoice(), **options)
        world.due(world.number)
    world.put(None, key=None)
    world.produce(3)
    assert world.ends() == ""
    world.right_result()
    assert world.refused() == {"null-value": 2, "empty-value": 2, "malformed": 1}
    assert world.manifests() == [(11, 6)]


@pytest.mark.fault("a record longer than the row allows")
def test_a_record_that_is_too_long_is_refused_also_beyond_what_one_fetch_takes(world: Faulty) -> None:
    world.anew(config=(("max.message.bytes", "20000000"),))
    world.produce(9)
    world.put(world.invoice(Address="x" * 4 * 1024 * 1024), world.invoice(Address="x" * 9 * 1024 * 1024))
    world.produce(9)
    assert world.ends() == ""
    world.right_result()
    assert world.refused() == {"too-long": 2}


@pytest.mark.fault("message.timestamp of 1970 or 2099")
@pytest.mark.parametrize(
    ("kind", "checked", "refused"),
    [
        long(("CreateTime", False, [])),
        (
            "CreateTime",
            True,
            [1, 2, 4],
        ),  # to judge by its time, a record of 1970 cannot hold an event of today
        long(("LogAppendTime", True, [2, 4])),
    ],
)
def test_a_records_own_time_however_far_off_lets_no_event_of_the_future_in(
    world: Faulty, kind: str, checked: bool, refused: list[int]
) -> None:
    world.anew(config=(*ANY_TIME, ("message.timestamp.type", kind)))
    now_ms = int(time.time() * 1000)
    for stamp in (YEAR_1970_MS, YEAR_2099_MS):
        world.put(world.invoice(CreatedTime=now_ms), timestamp=stamp)
        world.due(world.number)
        world.put(world.invoice(CreatedTime=YEAR_2099_MS), timestamp=stamp)
        world.due(world.number)
    if checked:
        world.row = replace(world.row, checks=Checks(event_time=EventTime("CreatedTime", past_s=86_400)))
    assert world.ends() == ""
    for number in refused:
        del world.sent["0-0", number]
    world.right_result()
    assert world.refused()["event-time"] == len(refused)


@pytest.mark.fault("message.timestamp of 1970 or 2099")
def test_a_batch_that_is_run_again_later_judges_times_as_it_did_before(
    world: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.anew(config=ANY_TIME)
    world.row = replace(world.row, checks=Checks(event_time=EventTime("CreatedTime", future_s=0)))
    ahead_s = time.time() + 6
    world.put(world.invoice(CreatedTime=int(ahead_s * 1000)), timestamp=YEAR_2099_MS)
    with cut(monkeypatch, "planned"):
        world.run_here()
    time.sleep(max(0.0, ahead_s + 0.5 - time.time()))
    assert world.ends() == ""
    assert world.refused() == {"event-time": 1}


# transactions and gaps in the source


@pytest.mark.fault("aborted transactions on the source topic")
@pytest.mark.fault("transaction markers as the newest offsets")
def test_aborted_records_are_not_there_and_markers_at_the_end_leave_nothing_waiting(world: Faulty) -> None:
    producer = TransactionalProducer(world.client(), f"a-producer-{world.source}")
    for kept in (True, False, True, False):
        producer.begin()
        for _ in range(10):
            producer.send(world.source, world.invoice(), b"0-0", partition=0)
            if kept:
                world.due(world.number)
        producer.flush()
        if kept:
            producer.commit()
        else:
            producer = TransactionalProducer(world.client(), producer.name)  # its next owner aborts it
    assert world.ends() == ""
    world.right_result()
    assert "24 offsets hold no record" in world.out
    assert world.manifests() == [(20, 20)]
    assert (world.look().waiting.anything, world.lag) == (False, 0)
    world.produce(3)
    assert world.ends() == ""
    world.right_result()


@pytest.mark.fault("a hanging transaction on the source topic")
@pytest.mark.parametrize("committed", [long(False), True])
def test_records_behind_a_hanging_transaction_wait_until_it_is_decided(
    world: Faulty, committed: bool
) -> None:
    world.produce(30)
    before = world.sent.copy()
    hanging = TransactionalProducer(world.client(), f"hanging-{world.source}")
    hanging.begin()
    hanging.send(world.source, world.invoice(), b"0-0", partition=0)
    hanging.flush()
    if committed:
        before["0-0", world.number] = 0
    number = world.number
    world.put(world.invoice())
    later = world.number
    assert world.ends() == ""
    world.right_result()
    looked = world.look()
    assert (looked.waiting.anything, looked.waiting.undecided) == (False, 2)
    said = f"2 offsets of {world.source} lie behind an open transaction (partition 0 at 10)"
    assert warned(looked) == (f"{said}; a later run reads them",)
    if committed:
        hanging.commit()
        world.due(number)
    else:
        TransactionalProducer(world.client(), hanging.name)
    world.due(later)
    assert world.ends() == ""
    world.right_result()
    assert world.look().waiting.undecided == 0


@pytest.mark.fault("a compacted source topic with gaps")
def test_a_compacted_source_is_read_over_its_gaps(world: Faulty) -> None:
    quick = {
        "cleanup.policy": "compact",
        "segment.ms": "100",
        "min.cleanable.dirty.ratio": "0.001",
        "max.compaction.lag.ms": "100",
    }
    world.anew(config=tuple(quick.items()))
    for _ in range(4):
        world.produce(60)
        time.sleep(0.15)
    left = world.compacted(below=240)
    world.sent = left
    assert world.ends() == ""
    world.right_result()
    assert world.manifests() == [(left.total(), left.total())]
    assert f"{240 - left.total()} offsets hold no record" in world.out
    assert (world.look().waiting.anything, world.lag) == (False, 0)


# transactions on the sink


@pytest.mark.fault("a stranger's hanging transaction on the sink topic")
def test_a_strangers_hanging_transaction_on_the_sink_holds_its_readers_and_not_the_stream(
    world: Faulty,
) -> None:
    stranger = TransactionalProducer(world.client(), f"a-stranger-{world.sink}")
    stranger.begin()
    for partition in range(3):
        stranger.send(world.sink, b"{}", b"k", partition=partition)
    stranger.flush()
    world.produce(60)
    assert world.ends() == ""
    assert list(world.read()) == []
    TransactionalProducer(world.client(), stranger.name)
    world.right_result()


# the broker


@pytest.mark.torture
@pytest.mark.fault("the broker is away at the start")
def test_a_broker_that_is_away_at_the_start_is_one_transient_error(
    world: Faulty, own: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.produce(60)
    with paused(own), monkeypatch.context() as patch:
        patch.setattr(launch, "_BROKER_S", 1.0)
        assert world.ends() == "broker-down"
    assert world.error is not None
    assert world.error.transient
    own.stop()
    assert world.ends() == "broker-down"
    own.start()
    assert world.ends() == "", world.error
    world.right_result()


def away(own: Broker, pause_s: float) -> tuple[threading.Thread, threading.Event]:
    """Stops the broker once the event is set, and lets it go on after `pause_s`."""
    now = threading.Event()

    def wait() -> None:
        if now.wait(60):
            with paused(own):
                time.sleep(pause_s)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread, now


def pausing(own: Broker, monkeypatch: pytest.MonkeyPatch, at: str, pause_s: float) -> threading.Thread:
    """The broker stops when the driver comes to failpoint `at` for the first time."""
    thread, now = away(own, pause_s)

    def hit(name: str) -> None:
        if name == at and not now.is_set():
            now.set()
            time.sleep(0.2)

    monkeypatch.setattr(failpoints, "hit", hit)
    return thread


@pytest.mark.fault("the broker is away for 5 s in mid run")
@pytest.mark.parametrize("at", [long("fenced"), "claimed"])
def test_a_broker_that_is_away_for_five_seconds_is_waited_for(
    world: Faulty, own: Broker, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    world.produce(300)
    thread = pausing(own, monkeypatch, at, 5.0)
    begin_s = time.monotonic()
    assert world.ends() == ""
    thread.join()
    assert time.monotonic() - begin_s > 5
    world.right_result()


@pytest.mark.torture
@pytest.mark.timeout(600)
@pytest.mark.fault("the broker is away for 60 s in mid run")
@pytest.mark.parametrize("at", ["start", "planned", "fenced", "claimed", "sent"])
def test_a_broker_that_is_away_for_a_minute_costs_at_most_another_run(
    world: Faulty, own: Broker, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    world.produce(300)
    with monkeypatch.context() as patch:
        thread = pausing(own, patch, at, 60.0)
        if at == "start":
            thread, now = away(own, 60.0)
            now.set()
            patch.setattr(launch, "_BROKER_S", 0.1)
        ended = world.ends()
        thread.join()
    assert ended == "" or (world.error is not None and world.error.transient), ended
    print(f"{at}: {ended or 'right'}")
    if ended:
        assert world.ends() == ""
    world.right_result()
    assert world.ends() == ""
    world.right_result()


@pytest.mark.torture
@pytest.mark.fault("the broker is killed in mid transaction and comes back")
def test_a_broker_killed_in_mid_transaction_costs_at_most_another_run(world: Faulty, own: Broker) -> None:
    slow = F.udf(lambda amount: __import__("time").sleep(0.01) or amount, DoubleType())
    world.transform = lambda frame: facturas.notificaciones(
        frame.withColumn("TotalAmount", slow("TotalAmount"))
    )
    world.produce(450)
    killed: list[int] = []

    def kill() -> None:
        until_s = time.monotonic() + 60
        while not killed and time.monotonic() < until_s:
            if (there := offsets.positions(world.settings, world.sink)).records:
                killed.append(there.records)
            time.sleep(0.01)
        own.stop()
        time.sleep(1.0)
        own.start()

    watcher = threading.Thread(target=kill)
    with arrow_batches(world, 20):
        watcher.start()
        ended = world.ends()
        watcher.join()
    assert killed, "no message was on the sink while the run was sending"
    assert killed[0] < 450
    world.transform = facturas.notificaciones
    if ended:
        assert world.error is not None
        assert world.error.transient, ended
        assert world.ends() == ""
    world.right_result()
    assert world.ends() == ""
    world.right_result()


def arrow_batches(world: Faulty, records: int) -> ExitStack:
    """The sender gets rows in batches of so many records, not of 10,000. Closing the stack ends that."""
    stack, name = ExitStack(), "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = world.spark.conf.get(name)
    world.spark.conf.set(name, str(records))
    stack.callback(world.spark.conf.set, name, before)
    return stack


# rights


@pytest.mark.fault("the login may not read, write or use its transactional id")
def test_rights_that_are_missing_are_a_matter_of_configuration(world: Faulty) -> None:
    world.produce(60)
    ids = f"caudal.{NAME}."
    cases = (
        world.right("TOPIC", world.source, ("DENY", "ALL")),
        world.right("TOPIC", world.source, ("ALLOW", "DESCRIBE"), ("DENY", "READ")),
        world.right("TOPIC", world.sink, ("ALLOW", "DESCRIBE"), ("DENY", "WRITE")),
        world.right("TOPIC", f"caudal-tokens-{NAME}", ("ALLOW", "DESCRIBE"), ("DENY", "READ")),
        world.right(
            "TOPIC", f"caudal-tokens-{NAME}", ("ALLOW", "DESCRIBE"), ("ALLOW", "READ"), ("DENY", "WRITE")
        ),
        world.right("TRANSACTIONAL_ID", ids, ("DENY", "ALL"), prefix=True),
    )
    for missing in cases:
        with missing:
            assert world.ends() == "configuration", world.error
    assert world.ends() == ""
    world.right_result()
