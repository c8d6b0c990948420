"""Delivered files from intake to published rows: packed, marked and joined ones give the rows of the plain
file, and counting agrees with Spark."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from dataclasses import replace

import pytest
from pyspark.sql.types import LongType, StringType, StructType

from jobs.contract.stream import Files, Stream
from jobs.core.read.records import Subject
from tests.jobs.core.conftest import Home

pytestmark = pytest.mark.spark

BOM = b"\xef\xbb\xbf"
PRICES = Subject(StructType().add("id", LongType()).add("compra", LongType()).add("venta", LongType()), {})
TEXTS = Subject(StructType().add("id", LongType()).add("texto", StringType()), {})
PACKED: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}


def of(home: Home, subject: Subject, source: Files) -> Home:
    home.stream = Stream("s", replace(source, settle_s=0, duplicates="take"), Files("json"))
    home.subject, home.transform = subject, lambda frame: frame
    return home


def deliver(home: Home, name: str, data: bytes) -> None:
    folder = home.layout.entrada(home.stream.folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def test_marks_and_line_ends_of_joined_files_are_in_no_value_and_no_count(home: Home) -> None:
    of(home, TEXTS, Files("json"))
    part = BOM + b'{"id":1,"texto":"\xef\xbb\xbfa"}\r\n' + BOM + b"\r\n"
    for ending, pack in PACKED.items():
        deliver(
            home,
            f"x.json{ending}",
            pack(part + BOM + part + b'{"id":2,"texto":"b"}\n' + BOM + b"{bad}\n" + BOM),
        )
    home.put("last.json", '{"id":3,"texto":"c"}')
    home.run()
    assert [one.records_in for one in home.manifests()] == [3 * 4 + 1]
    assert sorted((row["id"], row["texto"]) for row in home.rows()) == [(1, "\ufeffa")] * 6 + [
        (2, "b")
    ] * 3 + [(3, "c")]
    assert [bad["raw"].encode() for bad in home.quarantined()] == [
        BOM + b"{bad}"
    ] * 3  # the bytes as they came


def test_columns_in_another_order_are_never_published_under_wrong_names(home: Home) -> None:
    """The first line is looked at as text, packed or not: its columns may be put in order or its file
    refused, but not swapped."""
    of(home, PRICES, Files("csv", separator=";"))
    for ending, pack in PACKED.items():
        for mark in (b"", BOM):
            deliver(
                home, f"x{len(mark)}.csv{ending}", pack(mark + b"id;venta;compra\r\n1;20;10\r\n2;21;11\r\n")
            )
    home.put("y.csv", "id;compra;venta\n3;12;22\n")
    home.run()
    rows = {(row["id"], row["compra"], row["venta"]) for row in home.rows()}
    assert (3, 12, 22) in rows
    assert rows <= {(1, 10, 20), (2, 11, 21), (3, 12, 22)}


def test_fields_that_span_lines_are_counted_and_read_alike_however_the_file_was_packed(home: Home) -> None:
    """A broken quote costs its own line; a line inside a field is never a row."""
    of(home, TEXTS, Files("csv", separator=";", multiline=True))
    text = (
        b'id;texto\r\n1;"uno\r\n7;siete\r\n""dos"""\r\n'
        + BOM
        + b'2;"a\nb"\n3;"open\n4;d\n'
        + BOM
        + b'\n"5";e'
    )
    for ending, pack in PACKED.items():
        for mark in (b"", BOM):
            deliver(home, f"x{len(mark)}.csv{ending}", pack(mark + text))
    home.put("last.csv", "id;texto\n6;f\n")
    home.run()
    (done,) = home.manifests()
    assert (done.records_in, done.headers, done.quarantined) == (6 * 5 + 1, 7, 6)
    rows = {(1, 'uno\r\n7;siete\r\n"dos"'), (2, "a\nb"), (4, "d"), (5, "e")}
    assert sorted((row["id"], row["texto"]) for row in home.rows()) == sorted(
        [*[row for row in rows for _ in range(6)], (6, "f")]
    )
    assert [bad["raw"] for bad in home.quarantined()] == ['3;"open'] * 6
