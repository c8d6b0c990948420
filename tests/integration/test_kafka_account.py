"""Accounts of Kafka streams on the real broker: aborted records, retention, a message that is there twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include import streams
from include.account.audit import examine as audits
from include.account.audit.findings import Audit
from include.housekeeping.generations import rollover
from include.kafka import connection, consume
from include.settings import Settings
from include.torture.runs import Home as AnyHome
from jobs.contract.disk.layout import MANIFEST
from tests.integration.here import Home
from tests.integration.kafka_homes import do, drop_records, ran, send

pytestmark = [pytest.mark.spark, pytest.mark.broker]


def audit(home: AnyHome, since: datetime | None = None) -> Audit:
    return audits.audit(home.settings, streams.get(home.stream), since, lambda _: None)


def differences(found: Audit) -> list[str]:
    return [str(difference) for difference in found.differences]


def transaction(settings: Settings, records: int, *, commit: bool) -> None:
    """`records` invoices to partition 0, all of them aborted or committed."""
    from confluent_kafka import Producer

    producer = Producer({**connection.connect(settings).librdkafka(), "transactional.id": f"test-{commit}"})
    producer.init_transactions(60)
    producer.begin_transaction()
    for number in range(records):
        invoice = {
            "InvoiceNumber": f"t{number}",
            "CreatedTime": 1,
            "TotalAmount": 1.0,
            "InvoiceLineItems": [{"ItemCode": "a"}],
        }
        producer.produce("facturas", json.dumps(invoice).encode(), partition=0)
    producer.flush(60)
    producer.commit_transaction(60) if commit else producer.abort_transaction(60)


def change(home: AnyHome, batch: int, **values: Any) -> None:
    path = home.settings.layout.batch(home.stream, 1, batch) / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_offsets_without_a_record_are_named_by_the_run_and_explained_by_the_audit(
    spark: Any, fresh: Settings, tmp_path: Path
) -> None:
    home = Home.on(spark, tmp_path, "facturas_kafka", fresh.kafka_bootstrap)
    send(fresh, 1)
    ran(home)
    assert (home.report().account["gaps"], home.report().account["counted"]) == ({}, 60)
    transaction(fresh, 5, commit=False)
    transaction(fresh, 2, commit=True)
    ran(home)
    account = home.report().account
    assert (account["gaps"], account["counted"], account["records_in"], account["rows_read"]) == (
        {"facturas/0": 7},
        9,
        2,
        2,
    )
    found = audit(home)
    assert (differences(found), found.unchecked) == ([], [])
    names = ("records on facturas", "offsets of aborted records", "offsets of control or compacted records")
    assert [found.counts[name] for name in names] == [62, 5, 2]
    assert audit(home, datetime(2100, 1, 1, tzinfo=UTC)).counts == {}

    manifest = json.loads((home.settings.layout.batch(home.stream, 1, 0) / MANIFEST).read_text())
    less = {**manifest["partitions"], "facturas/1": manifest["partitions"]["facturas/1"] - 1}
    change(home, 0, partitions=less, records_in=59)
    [line] = differences(audit(home))
    assert line.startswith("batch 0 of generation 1: a plain consumer finds ")
    assert "facturas/1 offsets 0 to" in line
    change(
        home,
        0,
        partitions=manifest["partitions"],
        records_in=60,
        end=json.loads(json.dumps(manifest["end"]).replace('"2"', '"3"')),
    )
    assert any("batch 1 of generation 1: begins at" in line for line in differences(audit(home)))
    change(home, 0, end=manifest["end"])

    drop_records(fresh, p0=3)
    found = audit(home)
    assert differences(found) == []
    assert found.unchecked == ["batch 0 of generation 1: offsets 0 to 2 of facturas/0 are gone by retention"]


def test_a_message_that_stands_twice_is_found_with_its_place(
    spark: Any, fresh: Settings, tmp_path: Path
) -> None:
    home = Home.on(spark, tmp_path, "notificaciones", fresh.kafka_bootstrap)
    send(fresh, 2)
    ran(home)
    assert home.report().account["unchecked"] == [
        "messages on the topic were counted by the sink; ./caudal audit notificaciones reads them again"
    ]
    do(home, rollover.plan)
    send(fresh, 3, count=30)
    ran(home)
    found = audit(home)
    assert (differences(found), found.unchecked, found.counts["messages on notificaciones"]) == ([], [], 90)

    rows = json.loads((home.settings.layout.batch(home.stream, 1, 0) / MANIFEST).read_text())["rows_out"]
    change(home, 0, rows_out=rows + 1)
    assert [
        "60 messages of it on notificaciones, its manifest says 61" in line
        for line in differences(audit(home))
    ] == [True]
    change(home, 0, rows_out=rows)

    victim = next(consume.read(fresh, "notificaciones"))
    repeat(fresh, victim)
    [line] = differences(audit(home))
    source = dict(victim.headers)["caudal-source"]
    assert source
    assert line.startswith(f"notificaciones/{victim.partition}/")
    assert f"the message of {source.decode()} is here again" in line


def repeat(settings: Settings, record: consume.ConsumerRecord) -> None:
    from confluent_kafka import Producer

    producer = Producer(connection.connect(settings).librdkafka())
    producer.produce(
        "notificaciones", record.value, record.key, partition=record.partition, headers=list(record.headers)
    )
    assert producer.flush(60) == 0


def test_an_audit_without_a_broker_says_what_it_could_not_read(
    spark: Any, fresh: Settings, tmp_path: Path
) -> None:
    home = Home.on(spark, tmp_path, "notificaciones", fresh.kafka_bootstrap)
    send(fresh, 4, count=5)
    ran(home)
    away = AnyHome.at(tmp_path, "notificaciones", "127.0.0.1:1")
    found = audit(away)
    assert differences(found) == []
    assert [line.partition(" was not read: ")[0] for line in found.unchecked] == [
        "topic facturas",
        "topic notificaciones",
    ]
