"""The publish contract on real Spark: exact rows, twice; every fault leaves nothing half done."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from typing import Any

import duckdb
import pytest
from pyspark.sql.types import DoubleType, LongType, StringType, StructType

from include import intake
from include.samples import facturas as samples
from include.settings import ROOT
from jobs.contract.errors import AccountMismatch, BatchConflict, PlannedFileMissing
from jobs.contract.stream import Files, Limits, Stream
from jobs.core.read.records import Subject
from jobs.core.write import publish

pytestmark = pytest.mark.spark

COURSE = (
    '{"InvoiceNumber":"51402977","CreatedTime":1595688900348,"StoreID":"STR7188","PosID":"POS956",'
    '"CashierID":"OAS134","CustomerType":"PRIME",'
    '"CustomerCardNo":"4629185211","TotalAmount":11114.0,"NumberOfItems":4,"PaymentMethod":"CARD",'
    '"TaxableAmount":11114.0,"CGST":277.85,'
    '"SGST":277.85,"CESS":13.8925,"DeliveryType":"TAKEAWAY","InvoiceLineItems":[{"ItemCode":"458",'
    '"ItemDescription":"Wine glass",'
    '"ItemPrice":1644.0,"ItemQty":2,"TotalValue":3288.0},{"ItemCode":"283","ItemDescription":"Portable '
    'Lamps","ItemPrice":2236.0,"ItemQty":1,'
    '"TotalValue":2236.0}]}'
)
DOCUMENTS = [
    '{"InvoiceNumber":"51402977","CreatedTime":1595688900348,"StoreID":"STR7188","PosID":"POS956",'
    '"CustomerType":"PRIME","PaymentMethod":"CARD",'
    '"DeliveryType":"TAKEAWAY","ItemCode":"458","ItemDescription":"Wine glass","ItemPrice":1644.0,'
    '"ItemQty":2,"TotalValue":3288.0}',
    '{"InvoiceNumber":"51402977","CreatedTime":1595688900348,"StoreID":"STR7188","PosID":"POS956",'
    '"CustomerType":"PRIME","PaymentMethod":"CARD",'
    '"DeliveryType":"TAKEAWAY","ItemCode":"283","ItemDescription":"Portable Lamps","ItemPrice":2236.0,'
    '"ItemQty":1,"TotalValue":2236.0}',
]


def text(*documents: str) -> str:
    return "".join(f"{d}\n" for d in documents)


def multiset(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(
        json.dumps({k: v for k, v in row.items() if v is not None}, sort_keys=True) for row in rows
    )


def test_an_invoice_becomes_the_courses_documents_byte_for_byte_and_a_second_run_adds_nothing(
    home: Any,
) -> None:
    home.put("una.json", text(COURSE))
    home.run()
    first = home.lines()
    home.run()
    assert first == DOCUMENTS
    assert home.lines() == DOCUMENTS
    assert [(m.batch, m.records_in, m.rows_out, m.quarantined) for m in home.manifests()] == [(0, 1, 2, 0)]


def test_three_runs_give_every_row_once_by_a_plain_reader_and_by_duckdb(home: Any) -> None:
    expected: list[dict[str, Any]] = []
    for seed in (1, 2, 3):
        sample = samples.generate(40, seed=seed, start_ms=1_700_000_000_000)
        home.put(f"f{seed}.json", text(*sample.documents))
        home.run()
        expected += sample.expected_lines()
    assert multiset(home.rows()) == multiset(expected)
    glob = f"{home.layout.salida('facturas_ficheros')}/gen=*/batch=*/part-*"
    query = f"select count(*), sum(TotalValue) from read_json('{glob}', format='newline_delimited')"
    ((rows, total),) = duckdb.sql(query).fetchall()
    assert (rows, total) == (len(expected), sum(r["TotalValue"] for r in expected))
    assert home.spark.read.json(str(home.layout.salida("facturas_ficheros"))).count() == len(expected)


def test_bad_records_go_to_quarantine_with_reason_and_raw_text_and_the_rest_is_published(home: Any) -> None:
    home.put(
        "mixta.json",
        text(
            COURSE,
            '{"half',
            '{"InvoiceNumber":"7"}',
            "",
            '{"InvoiceNumber":"8","InvoiceLineItems":[]}\r',
            "[1]",
        ),
    )
    home.run()
    (only,) = home.manifests()
    assert home.lines() == DOCUMENTS
    assert (only.records_in, only.rows_out, only.quarantined) == (5, 2, 4)
    found = sorted((r["reason"], r["raw"]) for r in home.quarantined())
    assert found == [
        ("malformed", '{"half'),
        ("no-line-items", '{"InvoiceNumber":"7"}'),
        ("no-line-items", '{"InvoiceNumber":"8","InvoiceLineItems":[]}\r'),
        ("not-an-object", "[1]"),
    ]
    assert only.quarantine_digest


def test_a_batch_published_but_not_committed_is_skipped_by_the_next_run(home: Any) -> None:
    home.put("una.json", text(COURSE))
    home.run()
    for name in ("0", ".0.crc"):
        (home.checkpoint / "commits" / name).unlink()
    before = home.manifests()
    home.run()
    assert home.lines() == DOCUMENTS
    assert home.manifests() == before
    assert (home.checkpoint / "commits" / "0").exists()


def test_the_same_batch_number_from_other_input_is_refused_and_nothing_is_written(home: Any) -> None:
    home.put("una.json", text(COURSE))
    home.run()
    shutil.rmtree(home.checkpoint / "offsets")
    shutil.rmtree(home.checkpoint / "commits")
    home.put("otra.json", text(COURSE.replace("51402977", "60000000")))
    with pytest.raises(BatchConflict, match="other input"):
        home.run()
    assert home.lines() == DOCUMENTS
    assert list((home.layout.staging("facturas_ficheros")).rglob("part-*")) == []


def test_a_planned_file_that_is_gone_stops_the_batch_and_spark_does_not_commit_it(
    home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.put("una.json", text(COURSE))
    with monkeypatch.context() as patch:
        patch.setattr(publish, "make_durable", lambda *_: (_ for _ in ()).throw(OSError("killed here")))
        with pytest.raises(Exception, match="killed here"):
            home.run()
    (name,) = intake.waiting_files(home.layout, home.stream)
    admitted = home.layout.en_proceso("facturas_ficheros") / name
    away = admitted.rename(home.path / "away")
    with pytest.raises(PlannedFileMissing, match="the file is gone"):
        home.run()
    assert not list((home.checkpoint / "commits").glob("0"))
    away.rename(admitted)
    home.run()
    assert home.lines() == DOCUMENTS


def test_a_file_that_grew_after_intake_stops_the_batch(home: Any) -> None:
    home.put("una.json", text(COURSE))
    (name,) = intake.waiting_files(home.layout, home.stream)
    with (home.layout.en_proceso("facturas_ficheros") / name).open("a") as grown:
        grown.write(text(COURSE))
    with pytest.raises(PlannedFileMissing, match="bytes now"):
        home.run()
    assert home.manifests() == []


def test_records_that_do_not_add_up_stop_the_batch(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    home.put("una.json", text(COURSE))
    monkeypatch.setattr(publish.Publisher, "_expected_records", lambda *_: 2)
    with pytest.raises(AccountMismatch, match="2 records were counted before Spark, 1 by Spark"):
        home.run()
    assert home.manifests() == []


def test_a_quarantine_left_by_a_run_that_died_before_its_manifest_is_replaced(
    home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.put("mala.json", text(COURSE, "{"))
    with monkeypatch.context() as patch:
        patch.setattr(publish.storage, "write_new", lambda *_: (_ for _ in ()).throw(OSError("killed here")))
        with pytest.raises(Exception, match="killed here"):
            home.run()
    assert (len(home.quarantined()), home.manifests()) == (1, [])
    home.run()
    assert len(home.quarantined()) == 1
    assert home.quarantined()[0]["run_id"] == "r2"
    assert home.lines() == DOCUMENTS


def test_batches_are_limited_by_bytes_and_each_has_its_own_folder(home: Any) -> None:
    home.stream = replace(home.stream, limits=Limits(batch_bytes=1))
    for number in ("1", "2", "3"):
        home.put(f"{number}.json", text(COURSE.replace("51402977", number)))
    home.run()
    assert [(m.batch, m.records_in) for m in home.manifests()] == [(0, 1), (1, 1), (2, 1)]
    assert [r["InvoiceNumber"] for r in home.rows()] == ["1", "1", "2", "2", "3", "3"]


@pytest.mark.parametrize("sink", ["parquet", "csv"])
def test_other_sinks_hold_the_same_rows_and_manifests_count_them(home: Any, sink: Any) -> None:
    home.stream = replace(home.stream, sink=Files(sink))
    home.put("una.json", text(COURSE))
    home.run()
    (only,) = home.manifests()
    assert sum(f.records for f in only.files) == only.rows_out == 2
    reader = home.spark.read.option("header", "true")
    found = (
        reader.format(sink)
        .load(str(home.layout.salida("facturas_ficheros")))
        .select("ItemCode", "InvoiceNumber")
        .collect()
    )
    assert sorted(tuple(r) for r in found) == [("283", "51402977"), ("458", "51402977")]


def test_a_csv_source_with_header_and_separator_gives_typed_rows_and_refuses_the_rest(home: Any) -> None:
    schema = StructType().add("nombre", StringType()).add("cantidad", DoubleType()).add("veces", LongType())
    home.stream = Stream("bizums_csv", Files("csv", separator=";", settle_s=0), Files("json"))
    home.subject = Subject(schema, {"sin-nombre": "nombre IS NULL"})
    home.transform = lambda df: df
    home.put(
        "b.csv",
        'nombre;cantidad;veces\r\nAitor;25.5;2\r\n"Ana; de Elche";3;1\r\n;4;1\r\nLuis;mucho;1\r\nEva;1\r\n',
    )
    home.run()
    (only,) = home.manifests()
    assert home.rows() == [
        {"nombre": "Aitor", "cantidad": 25.5, "veces": 2},
        {"nombre": "Ana; de Elche", "cantidad": 3.0, "veces": 1},
    ]
    assert (only.records_in, only.quarantined) == (5, 3)
    assert sorted(r["reason"] for r in home.quarantined()) == ["malformed", "malformed", "sin-nombre"]


def test_a_job_to_files_imports_nothing_that_only_a_sink_of_a_topic_needs() -> None:
    code = (
        "import sys, jobs.facturas_ficheros; "
        "print(sorted({'numpy', 'pyarrow', 'jobs.core.kafka_sink.worker'} & {*sys.modules}))"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_csv_files_with_their_columns_in_any_order_packed_or_joined_give_the_same_rows(home: Any) -> None:
    home.stream = Stream("alumnos", Files("csv", separator=";", settle_s=0), Files("json"))
    home.subject = Subject(StructType().add("dni", LongType()).add("nombre", StringType()), {})
    home.transform = lambda df: df
    entrada = home.layout.entrada(home.stream.folder)
    entrada.mkdir(parents=True)
    (entrada / "packed.csv.gz").write_bytes(
        gzip.compress("\ufeffnombre;dni\r\nAna;1\r\nEva;dos\r\n".encode())
    )
    (entrada / "joined.csv").write_text(
        "dni;nombre\n2;Luis\n\ufeffDNI;Nombre\n\ufeff3;Gil\n", encoding="utf-8"
    )
    home.put("wrong.csv", "dni;nombres\n4;Paz\n")
    home.run()
    assert sorted((row["dni"], row["nombre"]) for row in home.rows()) == [(1, "Ana"), (2, "Luis"), (3, "Gil")]
    refused = {(one["reason"], one["raw"]): one for one in home.quarantined()}
    assert refused.keys() == {
        ("malformed", "Eva;dos\r"),
        ("wrong-header", "dni;nombres"),
        ("wrong-header", "4;Paz"),
    }
    assert refused["malformed", "Eva;dos\r"]["message"] == 'dni: "dos" is not of type bigint'
    assert refused["malformed", "Eva;dos\r"]["header"] == "nombre;dni"
    assert "nombres is none of dni, nombre" in refused["wrong-header", "4;Paz"]["message"]


def test_csv_fields_that_span_lines_are_read_whole_where_the_row_says_so(home: Any) -> None:
    home.subject = Subject(StructType().add("dni", LongType()).add("nota", StringType()), {})
    home.transform = lambda df: df
    text = 'dni;nota\r\n1;"una\r\n2;dos"\r\n3;tres\r\n4;"nunca\r\n5;cinco\r\n'
    home.stream = Stream("notas", Files("csv", separator=";", settle_s=0, multiline=True), Files("json"))
    home.put("a.csv", text)
    home.run()
    assert [(row["dni"], row["nota"]) for row in home.rows()] == [
        (1, "una\r\n2;dos"),
        (3, "tres"),
        (5, "cinco"),
    ]
    assert [(one["reason"], one["raw"]) for one in home.quarantined()] == [("malformed", '4;"nunca')]
    (only,) = home.manifests()
    assert (only.headers, only.records_in, only.quarantined) == (1, 4, 1)


def test_both_halves_of_a_field_that_spans_lines_are_refused_elsewhere(home: Any) -> None:
    home.subject = Subject(StructType().add("dni", LongType()).add("nota", StringType()), {})
    home.transform = lambda df: df
    home.stream = Stream("notas", Files("csv", separator=";", settle_s=0), Files("json"))
    home.put("a.csv", 'dni;nota\n1;"una\n2;dos"\n3;tres\n')
    home.run()
    assert home.rows() == [{"dni": 3, "nota": "tres"}]
    assert [one["raw"] for one in home.quarantined()] == ['1;"una', '2;dos"']
    assert all("multiline=True" in one["message"] for one in home.quarantined())
