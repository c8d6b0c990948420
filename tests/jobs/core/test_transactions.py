"""The exactly-once topic sink on the real broker and the shared Spark session: what a reader of committed
records finds, and what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from include import intake
from include.housekeeping.generations import reset, rewind, rollover
from include.kafka import connection, topics
from include.launch import plan as launch
from include.settings import Settings
from include.state import generations, journal
from include.torture.topic_world import NAME, TopicWorld, document
from jobs.contract.commit import manifest
from jobs.contract.errors import BatchConflict, BrokenStream, CaudalError, Fenced, MessageRefused, TokensLost
from jobs.contract.run.spec import new_run_id
from jobs.contract.stream import Files, Topic
from jobs.core import run
from jobs.core.kafka_sink import producer as transactional
from jobs.core.kafka_sink import token_topic, worker
from jobs.core.kafka_sink.producer import Client, TransactionalProducer
from jobs.core.read.records import Subject
from jobs.core.session import SETTINGS
from jobs.core.write import publish
from jobs.domain import facturas
from jobs.domain.positions import POSITION, kept
from tests.matrix import long, seeded

pytestmark = [pytest.mark.spark, pytest.mark.broker]
Transform = Callable[[DataFrame], DataFrame]


class Cut(CaudalError):
    """Stands for a kill: the run ends here, whatever it had begun."""


@dataclass
class Here(TopicWorld):
    """As TopicWorld, with runs on the shared session. `run_here` gives what was printed, `ended` what the
    newest run tells of its query."""

    spark: Any = None
    ended: dict[str, Any] = field(default_factory=dict)
    transform: Transform = facturas.notificaciones

    def run_here(self) -> str:
        for key, value in SETTINGS.items():
            self.spark.conf.set(key.removeprefix("spark.hadoop."), value)
        layout, now = self.settings.layout, datetime.now(UTC)
        found = launch.positions(self.settings, self.row)
        current = generations.current(layout, NAME) or generations.begin(
            layout, launch.first_generation(self.row, found, now)
        )
        made = launch.make(
            self.settings,
            launch.spec(self.settings, self.row, current, new_run_id(now), "", now),
            current,
            found,
        )
        with redirect_stdout(StringIO()) as out:
            self.ended = run.stream(
                self.spark, made.spec, Subject(facturas.SCHEMA, dict(facturas.RULES)), self.transform
            )
        return out.getvalue()

    def right(self) -> None:
        assert self.fault() == ""

    def manifests(self) -> list[tuple[int, int]]:
        """(records in, rows out) of the current generation's batches."""
        output = self.settings.layout.output(NAME, generations.numbers(self.settings.layout, NAME)[-1])
        return [(m.records_in, m.rows_out) for m in map(manifest.read, manifest.published(output).values())]

    def client(self) -> Client:
        return Client(connection.connect(self.settings).librdkafka(), 60_000)

    def id(self, partition: int) -> str:
        return f"caudal.{NAME}.{self.source}.{partition}"


@pytest.fixture
def world(spark: Any, broker: Settings, tmp_path: Path) -> Here:
    return Here(broker, tmp_path, spark=spark)


@contextmanager
def cut(monkeypatch: pytest.MonkeyPatch, at: str) -> Iterator[None]:
    """The driver's failpoint `at` ends the run."""

    def hit(name: str) -> None:
        if name == at:
            raise Cut(name)

    with monkeypatch.context() as patch:
        patch.setattr("jobs.contract.disk.failpoints.hit", hit)
        with pytest.raises(Cut):
            yield


def test_two_runs_send_each_record_once_with_its_headers_and_a_cut_off_one_sends_nothing_again(
    world: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.produce(200)
    world.run_here()
    world.right()
    world.produce(90)
    with cut(monkeypatch, "sent"):
        world.run_here()
    world.right()  # sent, but neither published nor committed
    out = world.run_here()
    assert "90 of 90 messages had been sent by an earlier attempt, 0 are sent now" in out
    world.right()
    assert world.manifests() == [(200, 200), (90, 90)]
    found = [headers for _, _, headers in world.read()]
    assert len({headers.pop("caudal-source") for headers in found}) == 290
    assert all(headers == {"caudal-generation": "1", "caudal-stream": NAME} for headers in found)


@pytest.mark.parametrize("at", seeded(["fenced", "claimed", "sent", "staged", "manifest", "published"], 2))
def test_a_run_cut_off_anywhere_in_the_driver_is_finished_by_the_next(
    world: Here, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    world.produce(130)
    with cut(monkeypatch, at):
        world.run_here()
    world.run_here()
    world.right()
    assert world.manifests() == [(130, 130)]


def open_transaction(world: Here, partition: int, *, token: bool) -> Any:
    """What a killed worker leaves: messages, and perhaps a token, in a transaction that nobody ends."""
    left = TransactionalProducer(world.client(), world.id(partition))
    left.begin()
    left.send(world.sink, b'{"never": "committed"}', b"k")
    if token:
        left.send(
            f"caudal-tokens-{NAME}",
            b"no token at all, and never committed",
            f"{world.id(partition)} of no epoch".encode(),
            partition=0,
        )
    left.flush()
    return left


@pytest.mark.fault("a killed run's open transaction")
@pytest.mark.parametrize("token", [long(False), True])
def test_a_hanging_transaction_is_resolved_before_the_tokens_are_read(
    world: Here, monkeypatch: pytest.MonkeyPatch, token: bool
) -> None:
    """Its token partition's records behind it would be hidden, and all be sent twice."""
    world.produce(60)
    world.run_here()
    world.produce(60)
    first = open_transaction(world, 2, token=token)
    with cut(monkeypatch, "sent"):
        world.run_here()
    second = open_transaction(world, 1, token=token)
    world.run_here()
    world.right()
    assert world.manifests() == [(60, 60), (60, 60)]
    for left in (first, second):
        with pytest.raises(Fenced):
            left.commit()
    world.right()


@pytest.mark.fault("another producer with the stream's transactional id")
def test_a_worker_of_a_past_run_that_wakes_up_after_the_next_has_begun_sends_nothing(
    world: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It opens its id again, which fences the living run's worker; the claim it finds tells it that it is
    past."""
    world.produce(60)
    first = _worker_config_of(world, monkeypatch)
    world.run_here()
    with pytest.raises(Fenced, match="has taken over"):
        worker.TaskProducer(first, world.id(0))
    world.produce(30)
    world.run_here()
    world.right()


def _worker_config_of(world: Here, monkeypatch: pytest.MonkeyPatch) -> worker.WorkerConfig:
    """The order of a run that is cut off once its tasks are told."""
    told: list[worker.WorkerConfig] = []

    def by_partition(config: worker.WorkerConfig) -> Any:
        told.append(config)
        raise Cut("told")

    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(worker, "by_partition", by_partition)
        world.run_here()
    return told[0]


def test_another_home_with_the_same_stream_on_the_broker_takes_no_token_away(
    world: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Here(world.broker, world.folder / "other", spark=world.spark)
    other.row = world.row
    world.produce(60)
    with cut(monkeypatch, "sent"):
        world.run_here()
    other.run_here()  # it sends all of its own: its checkpoint knows of nothing
    assert "60 of 60 messages had been sent" in world.run_here()
    world.again()
    world.right()


def test_a_rollover_sends_nothing_again_and_a_partition_made_meanwhile_is_sent_from_its_first_record(
    world: Here,
) -> None:
    world.produce(90)
    world.run_here()
    world.do(rollover.plan)
    world.add_partition()
    world.produce(80)
    world.run_here()
    world.add_partition()
    world.produce(50)
    world.run_here()
    world.right()
    assert Counter(headers["caudal-generation"] for _, _, headers in world.read()) == {"1": 90, "2": 130}


def test_a_reset_and_a_rewind_send_exactly_once_more(world: Here) -> None:
    world.produce(60)
    world.run_here()
    world.produce(30)
    world.run_here()
    world.do(rewind.plan, to_batch=0, allow_repeats=True)
    world.run_here()
    world.sent += Counter({pair: 1 for pair in world.sent if pair[1] > 60})
    world.right()
    world.do(reset.plan, allow_repeats=True)
    world.run_here()
    world.again()
    world.right()
    world.run_here()
    world.right()


def test_an_operation_that_is_not_finished_is_no_rewind(world: Here) -> None:
    operation = journal.Operation("1", "rewind", 1, "2026-11-24", {"to_batch": 0})
    journal.begin(world.settings.layout.journal(NAME), operation, [])
    record = generations.Generation(NAME, 1, 0, "earliest", {}, "2026-11-24")
    specs = [launch.spec(world.settings, world.row, record, "r", "", datetime.now(UTC))]
    journal.finish(world.settings.layout.journal(NAME), operation, "2026-11-24")
    specs.append(launch.spec(world.settings, world.row, record, "r", "", datetime.now(UTC)))
    assert [spec.rewinds for spec in specs] == [0, 1]


def test_records_of_several_rows_are_never_split_between_transactions_and_number_their_rows(
    world: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def three(records: DataFrame) -> DataFrame:
        rows = records.select(
            "InvoiceNumber",
            "CustomerCardNo",
            F.explode(F.array(F.lit(0), F.lit(1), F.lit(2))).alias("n"),
            *kept(records),
        )
        return rows.where("CustomerCardNo % 5 > 0")

    world.transform = three
    world.produce(200)
    world.run_here()
    found = Counter(
        (headers["caudal-source"], headers.get("caudal-row", "0"), value["n"])
        for _, value, headers in world.read()
    )
    assert set(found.values()) == {1}
    assert len(found) == 160 * 3
    assert all(int(row) == n for _, row, n in found)
    assert world.manifests() == [(200, 480)]


@pytest.mark.parametrize(
    ("transform", "said"),
    [
        (lambda f: facturas.notificaciones(f).drop(POSITION), "drops the column _position"),
        long(
            (lambda f: facturas.notificaciones(f).union(facturas.notificaciones(f)), "turns 3 tasks into 6")
        ),
        (lambda f: facturas.notificaciones(f).coalesce(1), "turns 3 tasks into 1"),
        (lambda f: facturas.notificaciones(f).repartition(3), "mixes source partitions"),
    ],
)
def test_a_transform_that_loses_the_position_is_refused_by_name_before_anything_is_sent(
    world: Here, transform: Transform, said: str
) -> None:
    world.produce(90)
    world.transform = transform
    with pytest.raises(BrokenStream, match=said):
        world.run_here()
    assert list(world.read("read_uncommitted")) == []
    world.transform = facturas.notificaciones
    world.run_here()
    world.right()


@pytest.mark.fault("a message longer than the sink's topic takes")
def test_a_message_the_broker_refuses_is_named_and_its_transaction_is_not_there(world: Here) -> None:
    world.produce(20)
    length = F.when(F.col("TotalAmount") == 11, 2_000_000).otherwise(1)
    world.transform = lambda f: facturas.notificaciones(f).withColumn("long", F.repeat(F.lit("x"), length))
    with pytest.raises(MessageRefused, match=r"MSG_SIZE_TOO_LARGE.*20000\d\d bytes with key b'2-3'"):
        world.run_here()
    assert "11" not in {value["CustomerCardNo"] for _, value, _ in world.read()}
    world.transform = facturas.notificaciones
    world.run_here()
    assert Counter((key, int(value["CustomerCardNo"])) for key, value, _ in world.read()) == world.sent


def test_a_commit_ends_at_the_broker_s_refusal_and_does_not_wait_for_its_call(
    world: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    producer = TransactionalProducer(world.client(), world.id(0))
    producer.begin()
    producer.send(world.sink, b"x" * 2_000_000, b"k")
    monkeypatch.setattr(
        TransactionalProducer, "_persist", lambda *_: pytest.fail("the call would take all of its time")
    )
    with pytest.raises(MessageRefused, match="MSG_SIZE_TOO_LARGE"):
        producer.commit()
    producer.close()


@pytest.mark.fault("the token topic is deleted")
def test_a_token_topic_that_was_deleted_stops_an_open_batch_and_no_other(
    world: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_topic, "SETTLED_S", 0.3)
    world.produce(60)
    world.run_here()
    _delete_tokens(world)
    world.produce(30)
    world.run_here()  # planned by this very run: nothing of it can have been sent
    world.right()
    world.produce(30)
    with cut(monkeypatch, "sent"):
        world.run_here()
    _delete_tokens(world)
    with pytest.raises(TokensLost, match="batch 2") as refused:
        world.run_here()
    assert "--to-batch 1 --allow-repeats" in refused.value.way_cli
    topics.ensure(world.settings, [world.row])
    with pytest.raises(TokensLost):
        world.run_here()
    world.right()
    world.do(rewind.plan, to_batch=1, allow_repeats=True)
    world.run_here()
    world.sent += Counter({pair: 1 for pair in world.sent if pair[1] > 90})
    world.right()


def _delete_tokens(world: Here) -> None:
    from confluent_kafka.admin import AdminClient

    admin = AdminClient(connection.connect(world.settings).librdkafka())
    for future in admin.delete_topics([f"caudal-tokens-{NAME}"]).values():
        future.result(30)


def test_the_longest_transaction_the_broker_allows_is_found_by_asking_for_less(
    world: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.row = replace(world.row, limits=replace(world.row.limits, run_s=7200))
    monkeypatch.setattr("jobs.core.kafka_sink.driver._TIMEOUTS_MS", (7_200_000, 300_000))
    world.produce(10)
    world.run_here()
    world.right()


def test_a_broker_that_is_away_is_one_named_error(world: Here) -> None:
    client = Client({"bootstrap.servers": "127.0.0.1:1"}, 60_000)
    with pytest.raises(CaudalError) as refused:
        TransactionalProducer(client, "caudal.none", away_s=1.0)
    assert refused.value.code == "broker-down"


def test_an_undecided_transaction_of_a_stranger_is_waited_for_and_named(world: Here) -> None:
    world.produce(10)
    world.run_here()
    stranger = TransactionalProducer(world.client(), "a-stranger")
    stranger.begin()
    stranger.send(f"caudal-tokens-{NAME}", b"{}", b"x", partition=0)
    stranger.flush()
    with pytest.raises(CaudalError, match="a transaction is still open"):
        transactional.records(world.client(), f"caudal-tokens-{NAME}", 0, silence_s=1.0)
    TransactionalProducer(world.client(), "a-stranger")  # what an owner of the id does: it is resolved
    assert transactional.records(world.client(), f"caudal-tokens-{NAME}", 0)[1] > 0


# files


@dataclass
class FromFiles(Here):
    """Files in, messages out: one transaction a batch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.row = replace(self.row, source=Files("json", settle_s=0))
        self.files = 0

    def put(self, count: int) -> None:
        folder = self.settings.layout.entrada(self.row.folder)
        folder.mkdir(parents=True, exist_ok=True)
        numbers = range(self.number + 1, self.number + count + 1)
        self.number += count
        (folder / f"f{self.number}.json").write_bytes(
            b"".join(document(f"k{n % 7}", n) + b"\n" for n in numbers)
        )
        intake.admit(self.settings.layout, self.row, lambda: 2e9, lambda _: None)
        self.sent += Counter((f"k{n % 7}", n) for n in numbers)

    def found(self) -> Counter[tuple[str, int]]:
        return Counter((key, int(value["CustomerCardNo"])) for key, value, _ in self.read())


def test_files_go_in_one_transaction_a_batch_once_whatever_cuts_the_run_off(
    spark: Any, broker: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = FromFiles(broker, tmp_path, spark=spark)
    world.put(80)
    for at in ("claimed", "sent", "manifest"):
        with cut(monkeypatch, at):
            world.run_here()
        assert world.found() in (Counter(), world.sent)
    assert world.found() == world.sent
    assert "80 of 80 messages had been sent" in world.run_here()
    world.put(40)
    world.put(30)
    world.run_here()
    assert world.found() == world.sent
    assert world.manifests() == [(80, 80), (70, 70)]
    names = {headers["caudal-source"].split("-", 2)[2] for _, _, headers in world.read()}
    assert names == {"f80.json", "f120.json", "f150.json"}


def test_a_batch_of_files_that_was_sent_from_other_input_is_a_conflict(
    spark: Any, broker: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = FromFiles(broker, tmp_path, spark=spark)
    world.put(10)
    with cut(monkeypatch, "sent"):
        world.run_here()
    plan = publish.batch_plan.BatchPlan
    monkeypatch.setattr(plan, "input_digest", property(lambda _: "other"))
    with pytest.raises(BatchConflict, match="batch 0 was sent from other input"):
        world.run_here()
    assert world.found() == world.sent


def test_a_rewind_of_files_sends_them_once_more(spark: Any, broker: Settings, tmp_path: Path) -> None:
    world = FromFiles(broker, tmp_path, spark=spark)
    world.put(10)
    world.run_here()
    world.do(rewind.plan, to_batch=-1, allow_repeats=True)
    world.run_here()
    world.again()
    assert world.found() == world.sent


def test_a_sink_of_its_own_setting_is_at_least_once_and_needs_no_position(
    world: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(world.row.sink, Topic)
    world.row = replace(world.row, sink=replace(world.row.sink, delivery="at-least-once"))
    assert (world.row.tokens, world.row.guarantee) == (None, "at-least-once (Spark's Kafka sink)")
    world.produce(20)
    with cut(monkeypatch, "staged"):
        world.run_here()
    world.run_here()
    assert (
        Counter((key, int(value["CustomerCardNo"])) for key, value, _ in world.read())
        == world.sent + world.sent
    )
