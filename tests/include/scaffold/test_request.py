"""The words of new-stream, checked against registry and checkout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include import streams
from include.scaffold import naming, request
from include.scaffold.request import Words
from include.settings import ROOT
from jobs.contract.errors import UsageError
from jobs.contract.stream import Files, Stream, Topic

WORDS = Words("mediciones", "files:csv", "files:json", "sensor:string,value:double")
OTHER = Stream("otro", Topic("lecturas", partitions=7, config=(("retention.ms", "1000"),)), Files("json"))


def checked(words: Words) -> request.Request:
    return request.check(
        words, ROOT, {"otro": OTHER, "ficheros": Stream("ficheros", Files("json", "buzon"), Files("json"))}
    )


def test_a_csv_source_takes_separator_and_header_and_the_first_column_is_required() -> None:
    made = checked(replace(WORDS, separator=";", header=False, folder="sensores"))
    assert made.stream.source == Files("csv", "sensores", separator=";", header=False)
    assert made.stream.sink == Files("json")
    assert made.required == ("sensor",)
    assert made.stream.doc == "Records of mediciones from csv files to json files."
    assert made.stream.schedule == "*/5 * * * *"


def test_a_topic_sink_requires_its_key_and_a_topic_another_stream_declares_keeps_its_settings() -> None:
    made = checked(
        replace(
            WORDS,
            source="kafka:lecturas:csv",
            sink="topic:avisos:value",
            schedule="none",
            about="Readings of sensors.",
        )
    )
    assert made.stream.source == Topic("lecturas", "csv", partitions=7, config=(("retention.ms", "1000"),))
    assert made.stream.sink == Topic("avisos", key="value")
    assert (made.required, made.stream.schedule, made.stream.doc) == (
        ("value",),
        None,
        "Readings of sensors.",
    )


def test_required_columns_stand_in_the_order_of_the_columns() -> None:
    assert checked(replace(WORDS, required=("value", "sensor"))).required == ("sensor", "value")


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        (
            {"source": "file:csv"},
            "--from",
            "cannot read from 'file:csv'. Did you mean 'files:csv' or 'files:json'?",
        ),
        ({"source": "socket"}, "--from", "cannot read from 'socket'"),
        (
            {"source": "kafka:"},
            "--from",
            "cannot read from 'kafka:'. Did you mean 'kafka:TOPIC' or 'kafka:TOPIC:csv'?",
        ),
        ({"source": "kafka:a b"}, "Topic", "unsafe topic name 'a b'"),
        ({"sink": "topic:avisos"}, "--to", "cannot write to 'topic:avisos'"),
        ({"sink": "topic:avisos:nombre"}, "--to", "the key nombre is not one of the columns sensor, value"),
        (
            {"sink": "topic:avisos:a", "columns": "a:string"},
            "--columns",
            "the key is the only column, so the message would be empty",
        ),
        (
            {"source": "kafka:x", "sink": "topic:x:value"},
            "mediciones",
            "a stream that writes the topic it reads never ends",
        ),
        ({"separator": "ab"}, "--separator", "'ab' is not a punctuation mark or a tab"),
        ({"separator": "\\"}, "--separator", "'\\\\' is not a punctuation mark or a tab"),
        ({"folder": "../x"}, "Files", "unsafe folder name '../x'"),
        ({"folder": "buzon"}, "--folder", "the folder buzon feeds another stream"),
        ({"schedule": "every day"}, "--schedule", "'every day' is not a cron expression of five fields"),
        (
            {"about": 'so "it" goes on'},
            "--about",
            'a line of 10 to 120 characters without " and \\ is expected',
        ),
        ({"required": ("nada",)}, "--required", "nada is not one of the columns sensor, value"),
    ],
)
def test_what_cannot_be_is_refused_naming_the_option(change: dict[str, str], where: str, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked(replace(WORDS, **change))
    assert (caught.value.what, caught.value.where) == (what, where)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Mediciones", naming.LETTERS),
        ("../x", naming.LETTERS),
        ("año", naming.LETTERS),
        ("class", "it is a keyword or builtin of Python"),
        ("print", "it is a keyword or builtin of Python"),
        ("main", "the name is used for something else"),
        ("otro", "a stream of that name exists"),
        ("facturas_ficheros", "a stream of that name exists"),
        ("seed_kafka_topics", "a DAG file of that name exists"),
        ("core", "a folder of that name exists in jobs/"),
        ("pyspark", "an installed module has that name, and would hide it or be hidden"),
        ("json", "an installed module has that name, and would hide it or be hidden"),
    ],
)
def test_a_name_is_a_stream_a_module_and_a_dag_at_once_or_refused(name: str, reason: str) -> None:
    with pytest.raises(UsageError, match=r".") as caught:
        naming.check_name(name, ROOT, {"otro": OTHER})
    assert caught.value.what == f"{name!r} cannot be the name: {reason}"


def test_the_names_of_the_registered_streams_would_pass_in_an_empty_checkout(tmp_path: Path) -> None:
    for name in streams.collect()[0]:
        naming.check_name(name, tmp_path, {})


@pytest.mark.parametrize(
    ("name", "source", "free"),
    [
        ("año", "files:csv", "anio"),
        ("an\u0303o", "", "anio"),
        ("Ventas por Día", "", "ventas_por_dia"),
        ("2025", "", "stream_2025"),
        ("", "", "stream"),
        ("漢字", "", "stream"),
        ("pedidos", "kafka:x", "pedidos_kafka"),
        ("pedidos", "files:json", "pedidos_ficheros"),
        ("pedidos", "socket:1", "pedidos_2"),
        ("otro", "files:csv", "otro_ficheros"),
        ("facturas", "files:json", "facturas_2"),
    ],
)
def test_a_name_that_is_free_is_like_the_one_that_is_not(name: str, source: str, free: str) -> None:
    assert naming.free_name(name, ROOT, streams.collect()[0] | {"otro": OTHER}, source) == free


@given(st.text(), st.sampled_from(["", "kafka:x", "files:csv"]))
def test_whatever_was_typed_the_name_that_is_offered_can_be(name: str, source: str) -> None:
    offered = naming.free_name(name, ROOT, {}, source)
    assert naming.why_not(offered, ROOT, {}) == ""
    assert naming.plain(offered) == offered
