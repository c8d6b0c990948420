"""How a source spells its values, as typed for new-stream: refused by the option's name, or written into row
and sample."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from include.labs import scaffold
from include.scaffold import reading, request, write
from include.scaffold.reading import Reading
from include.scaffold.request import Words
from jobs.contract.errors import UsageError
from jobs.contract.stream import Files, Stream, Topic

COLUMNS = "id:string,importe:decimal(10,2),peso:double,dia:date,alta:timestamp"
SPANISH = Reading(
    decimal=",", date_format="dd/MM/yyyy", timestamp_format="dd/MM/yyyy HH:mm:ss", timezone="Europe/Madrid"
)
WORDS = Words("ventas_es", "files:csv", "files:json", COLUMNS, separator=";", reading=SPANISH)


def made(tmp_path: Path, words: Words) -> request.Request:
    return request.check(words, tmp_path, {})


def test_what_was_said_stands_in_the_row_and_what_was_not_does_not(tmp_path: Path) -> None:
    found = made(tmp_path, WORDS)
    spelled: dict[str, Any] = dict(vars(SPANISH))
    assert found.stream.source == Files("csv", separator=";", **spelled)
    row = write.plan(found, tmp_path)[-1].text
    said = {
        "separator": ";",
        "decimal": ",",
        "date_format": "dd/MM/yyyy",
        "timestamp_format": "dd/MM/yyyy HH:mm:ss",
        "timezone": "Europe/Madrid",
    }
    lines = [f'        {name}="{value}",' for name, value in said.items()]
    assert "\n".join(["    source=Files(", '        "csv",', *lines, "    ),\n"]) in row
    wider = replace(WORDS, reading=replace(SPANISH, multiline=True))
    row = write.plan(made(tmp_path, wider), tmp_path)[-1].text
    assert (
        "\n".join(["    source=Files(", '        "csv",', *lines, "        multiline=True,", "    ),\n"])
        in row
    )
    plain = write.plan(made(tmp_path, replace(WORDS, reading=Reading())), tmp_path)[-1].text
    assert '    source=Files("csv", separator=";"),\n' in plain


def test_a_row_of_all_options_is_that_very_row_and_as_the_formatter_breaks_it(tmp_path: Path) -> None:
    words = replace(
        WORDS,
        reading=replace(
            SPANISH, columns="in-order", missing_columns="null", extra_columns="ignore", multiline=True
        ),
    )
    text = write.plan(made(tmp_path, words), tmp_path)[-1].text
    space: dict[str, Any] = {}
    exec(compile(text, "row", "exec"), space)  # noqa: S102 - what new-stream wrote
    row: Stream = space["STREAM"]
    assert row.source == made(tmp_path, words).stream.source
    assert '    source=Files(\n        "csv",\n        separator=";",\n' in text
    assert "csv files, records may span lines, in" in text


def test_the_sample_is_spelled_as_the_row_says(tmp_path: Path) -> None:
    assert write.sample(made(tmp_path, WORDS)) == (
        "id;importe;peso;dia;alta\nuno;0,01;1,5;10/01/2026;10/01/2026 "
        "13:30:00\ndos;0,02;2,5;20/01/2026;20/01/2026 13:30:00\n"
    )
    quoted = write.sample(made(tmp_path, replace(WORDS, separator=",", reading=Reading(decimal=","))))
    assert list(csv.reader(io.StringIO(quoted)))[1] == [
        "uno",
        "0,01",
        "1,5",
        "2026-01-10",
        "2026-01-10T12:30:00Z",
    ]
    topic = made(
        tmp_path, replace(WORDS, source="kafka:ventas", separator=",", reading=Reading(date_format="d.M.yy"))
    )
    assert topic.stream.source == Topic("ventas", date_format="d.M.yy")
    assert write.sample(topic).splitlines()[0].endswith('"dia": "10.1.26", "alta": "2026-01-10T12:30:00Z"}')


@pytest.mark.parametrize(
    ("source", "said", "option", "what"),
    [
        ("files:csv", {"decimal": ";"}, "--decimal", "decimal=';' is not . or ,"),
        ("files:json", {"decimal": ","}, "--decimal", "decimal is for csv: JSON has a point"),
        ("files:csv", {"date_format": "dd/MM"}, "--date-format", "'dd/MM' does not read a year"),
        ("files:csv", {"date_format": "DD/mm/YYYY"}, "--date-format", "'DD/mm/YYYY' does not read a year"),
        (
            "files:csv",
            {"timestamp_format": "dd/MM/yyyy mm"},
            "--timestamp-format",
            "has a part of a time without the larger part",
        ),
        ("files:csv", {"timezone": "Madrid"}, "--timezone", "'Madrid' is not a time zone"),
        (
            "files:csv",
            {"columns": "name"},
            "--columns-by",
            "columns='name' is not one of by-name, in-order, by-position",
        ),
        (
            "files:json",
            {"columns": "in-order"},
            "--columns-by",
            "columns='in-order' needs csv files with a header",
        ),
        ("files:json", {"missing_columns": "null"}, "--missing-columns", "needs csv files with a header"),
        ("files:csv", {"extra_columns": "drop"}, "--extra-columns", "is not one of refuse, ignore"),
        ("files:json", {"multiline": True}, "--multiline", "multiline is for csv"),
        ("kafka:x:csv", {"multiline": True}, "--multiline", "--multiline is for files, not for a topic"),
        (
            "kafka:x:csv",
            {"extra_columns": "ignore"},
            "--extra-columns",
            "--extra-columns is for files, not for a topic",
        ),
    ],
)
def test_what_a_source_cannot_have_is_refused_by_the_options_name(
    tmp_path: Path, source: str, said: dict[str, Any], option: str, what: str
) -> None:
    with pytest.raises(UsageError) as caught:
        made(tmp_path, replace(WORDS, source=source, separator=",", reading=Reading(**said)))
    assert (caught.value.where, what in caught.value.what) == (option, True), caught.value


@pytest.mark.parametrize(
    ("change", "option"), [({"separator": ";"}, "--separator"), ({"header": False}, "--no-header")]
)
@pytest.mark.parametrize("source", ["files:json", "kafka:x:csv"])
def test_separator_and_header_are_for_csv_files(
    tmp_path: Path, source: str, change: dict[str, Any], option: str
) -> None:
    with pytest.raises(UsageError) as caught:
        made(tmp_path, Words("ventas_es", source, "files:json", COLUMNS, **change))
    assert caught.value.where == option


def test_a_lab_has_none_of_them(tmp_path: Path) -> None:
    for said in (Reading(decimal=","), Reading(multiline=True)):
        with pytest.raises(UsageError, match="is not for a lab"):
            scaffold.check(replace(WORDS, sink="console", reading=said), scaffold.Manner(), tmp_path, {}, {})


@pytest.mark.parametrize(
    ("pattern", "zone", "text"),
    [
        ("dd/MM/yyyy", "UTC", "05/07/2026"),
        ("d-M-yy", "UTC", "5-7-26"),
        ("yyyyMMdd HHmmss", "UTC", "20260705 210904"),
        ("hh:mm a dd.MM.yyyy", "UTC", "09:09 PM 05.07.2026"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "Europe/Madrid", "2026-07-05T23:09:04.012+02:00"),
        ("yyyy-MM-dd HH:mm X", "Asia/Kolkata", "2026-07-06 02:39 +0530"),
        ("dd 'o''clock' MM ''yyyy XX", "UTC", "05 o'clock 07 '2026 Z"),
    ],
)
def test_patterns_spell_as_javas_do(pattern: str, zone: str, text: str) -> None:
    assert reading.spelled(pattern, datetime.fromisoformat("2026-07-05T21:09:04.012+00:00"), zone) == text
