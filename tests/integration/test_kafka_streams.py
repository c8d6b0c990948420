"""The Kafka streams on the real broker: the topic is the reference, each home reads it from the beginning."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include import streams
from include.kafka import produce
from include.kafka.produce import Message
from include.samples import facturas as samples
from include.services.ports import Ports
from include.settings import Settings
from include.torture.brokers import free_ports, running
from include.torture.runs import Home, below, kill, multiset, wait_for
from jobs.contract.disk import failpoints
from jobs.contract.stream import Limits
from tests.integration import here
from tests.integration.kafka_homes import create, delete, drop_records, make_anew, notifications, send

pytestmark = [pytest.mark.spark, pytest.mark.broker]


def expected_notifications(*made: samples.Sample) -> Counter[tuple[str, str]]:
    rows = [row for sample in made for row in sample.expected_notifications()]
    return Counter((r.pop("InvoiceNumber"), json.dumps(r, separators=(",", ":"))) for r in rows)


def test_facturas_kafka_gives_every_line_once_over_three_runs(
    spark: Any, fresh: Settings, tmp_path: Path
) -> None:
    home = here.Home.on(spark, tmp_path, "facturas_kafka", fresh.kafka_bootstrap)
    expected: Counter[str] = Counter()
    for seed in (1, 2):
        expected += multiset(send(fresh, seed).expected_lines())
        code, out = home.run()
        assert code == 0, out
        assert home.rows() == expected
    assert (home.report().records_in, home.report().rows_out) == (60, expected.total() - home_rows(home, 0))
    code, out = home.run()
    assert (code, home.report().status) == (0, "idle")
    assert home.duckdb_count() == expected.total()


def test_batches_are_limited_by_offsets_and_hold_every_line_once(
    spark: Any, fresh: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = replace(streams.get("facturas_kafka"), limits=Limits(batch_records=25))
    monkeypatch.setattr(streams, "get", lambda _: row)
    home = here.Home.on(spark, tmp_path, "facturas_kafka", fresh.kafka_bootstrap)
    sample = send(fresh, 8)
    code, out = home.run()
    assert code == 0, out
    assert home.rows() == multiset(sample.expected_lines())
    found = [
        json.loads((home.settings.layout.batch(home.stream, 1, batch) / "_MANIFEST").read_bytes())
        for batch in home.report().batches
    ]
    assert (len(found), sum(one["records_in"] for one in found)) == (3, 60)
    assert max(one["records_in"] for one in found) <= 25


def home_rows(home: Home, batch: int) -> int:
    parts = home.settings.layout.batch(home.stream, 1, batch).glob("part-*")
    return sum(len(p.read_text().splitlines()) for p in parts)


def test_notificaciones_sends_each_invoice_once_and_a_second_run_sends_nothing(
    spark: Any, fresh: Settings, tmp_path: Path
) -> None:
    home = here.Home.on(spark, tmp_path, "notificaciones", fresh.kafka_bootstrap)
    sample = send(fresh, 3)
    code, out = home.run()
    assert code == 0, out
    assert notifications(fresh) == expected_notifications(sample)
    assert (home.report().records_in, home.report().rows_out) == (60, 60)
    assert home.run()[0] == 0
    assert home.report().status == "idle"
    assert notifications(fresh).total() == 60


def test_the_courses_invoice_becomes_the_courses_notification_byte_for_byte(
    spark: Any, fresh: Settings, tmp_path: Path
) -> None:
    invoice = {
        "InvoiceNumber": "51402977",
        "CustomerCardNo": "4629185211",
        "TotalAmount": 11114.0,
        "InvoiceLineItems": [{"ItemCode": "458"}],
    }
    produce.produce(fresh, "facturas", [Message(value=json.dumps(invoice).encode())])
    assert here.Home.on(spark, tmp_path, "notificaciones", fresh.kafka_bootstrap).run()[0] == 0
    value = '{"CustomerCardNo":"4629185211","TotalAmount":11114.0,"EarnedLoyaltyPoints":2222.8}'
    assert notifications(fresh) == Counter({("51402977", value): 1})


def test_a_tombstone_and_a_broken_value_go_to_quarantine_with_their_offset(
    spark: Any, fresh: Settings, tmp_path: Path
) -> None:
    home = here.Home.on(spark, tmp_path, "facturas_kafka", fresh.kafka_bootstrap)
    sample = send(fresh, 4, count=1)
    produce.produce(fresh, "facturas", [Message(value=None, key=b"k"), Message(value=b'{"half', key=b"k")])
    code, out = home.run()
    assert code == 0, out
    found = [
        json.loads(line)
        for p in (home.settings.layout.data / "cuarentena").rglob("part-*")
        for line in p.read_text().splitlines()
    ]
    assert sorted((r["reason"], r.get("raw")) for r in found) == [
        ("malformed", '{"half'),
        ("null-value", None),
    ]
    assert all(r["origin"].startswith("facturas/") for r in found)
    assert home.rows() == multiset(sample.expected_lines())
    assert (home.report().records_in, home.report().quarantined) == (3, 2)


@pytest.mark.torture
def test_kill_9_of_the_jvm_in_mid_run_loses_and_repeats_no_line(fresh: Settings, tmp_path: Path) -> None:
    home = Home.at(tmp_path, "facturas_kafka", fresh.kafka_bootstrap)
    sample = send(fresh, 5, count=4000)
    process = home.start()
    wait_for(lambda: any(below(home.settings.layout.staging(home.stream), "batch=")), "staging", of=process)
    kill(process.pid)
    process.communicate(timeout=60)
    send_more = send(fresh, 6)
    assert home.run()[0] == 0
    assert home.rows() == multiset(sample.expected_lines() + send_more.expected_lines())


@pytest.mark.torture
def test_a_topic_made_anew_is_refused_before_spark_starts(fresh: Settings, tmp_path: Path) -> None:
    home = Home.at(tmp_path, "facturas_kafka", fresh.kafka_bootstrap)
    first = send(fresh, 7)
    assert home.run()[0] == 0
    make_anew(fresh, "facturas")
    send(fresh, 8, count=200)
    code, out = home.run()
    assert (code, "topic-recreated" in out) == (65, True)
    assert home.rows() == multiset(first.expected_lines())


def test_records_that_retention_took_before_they_were_read_are_named(
    spark: Any, fresh: Settings, tmp_path: Path
) -> None:
    home = here.Home.on(spark, tmp_path, "facturas_kafka", fresh.kafka_bootstrap)
    send(fresh, 9)
    assert home.run()[0] == 0
    send(fresh, 10, count=300)
    drop_records(fresh, p0=-1, p1=-1, p2=-1)
    code, out = home.run()
    assert (code, "offsets-lost" in out) == (65, True)


def test_a_missing_topic_is_one_line_and_exit_69(fresh: Settings, tmp_path: Path) -> None:
    delete(fresh, ["facturas"])
    code, out = Home.at(tmp_path, "facturas_kafka", fresh.kafka_bootstrap).run()
    assert (code, out.startswith("topic-missing: ")) == (69, True)
    assert "./caudal topics create" in out


@pytest.mark.torture
def test_a_broker_killed_in_mid_run_costs_nothing_but_another_run(
    spark: Any, tmp_path: Path, broker: Settings
) -> None:
    kafka, controller, airflow = free_ports(3)
    settings = Settings(
        **{**broker.__dict__, "home": tmp_path / "broker", "kafka_bootstrap": f"127.0.0.1:{kafka}"}
    )
    home = Home.at(tmp_path / "home", "notificaciones", settings.kafka_bootstrap)
    again, files = (
        here.Home.on(spark, tmp_path / "home", stream, settings.kafka_bootstrap)
        for stream in ("notificaciones", "facturas_kafka")
    )
    with running(settings, Ports(kafka, controller, airflow)) as process:
        create(settings)
        sample = send(settings, 11, count=3000)
        first = home.start()
        wait_for(lambda: (home.checkpoint / "offsets" / "0").exists(), "planned", of=first)
        process.kill()
        process.wait()
        first.kill()  # Spark would wait two minutes for its broker
        first.communicate(timeout=60)
    with running(settings, Ports(kafka, controller, airflow)):
        for home_of_one in (files, again):
            code, out = home_of_one.run()
            assert code == 0, out
        assert files.rows() == multiset(sample.expected_lines())
        assert notifications(settings) == expected_notifications(sample)


def test_a_topic_made_anew_while_it_is_read_leaves_nothing_published(
    spark: Any, fresh: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = here.Home.on(spark, tmp_path, "facturas_kafka", fresh.kafka_bootstrap)
    expected = multiset(send(fresh, 1).expected_lines())
    assert home.run()[0] == 0
    send(fresh, 2)
    real, made = failpoints.hit, list[str]()

    def hit(name: str) -> None:
        real(name)
        if name == "planned" and not made:
            made.append(name)
            make_anew(fresh, "facturas")
            send(fresh, 3, count=600)

    with monkeypatch.context() as patch:
        patch.setattr(failpoints, "hit", hit)
        code, out = home.run()
    assert (made, code, "topic-recreated" in out) == (["planned"], 65, True)
    assert home.rows() == expected
    assert home.run()[0] == 65
    assert home.rows() == expected
