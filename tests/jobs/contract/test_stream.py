"""A registry row is checked when it is made."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.contract.errors import BrokenStream
from jobs.contract.stream import Checks, Files, Limits, Published, Stream, Topic
from tests.jobs.contract.test_layout import HOSTILE


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_stream_and_folder_names_are_refused(name: str) -> None:
    with pytest.raises(BrokenStream, match="unsafe stream name"):
        Stream(name=name, source=Files(), sink=Files())
    if name:
        with pytest.raises(BrokenStream, match="unsafe folder name"):
            Files(folder=name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "ñ", "x" * 250, "a\n", "a,b", "*"])
def test_hostile_topic_names_are_refused(name: str) -> None:
    with pytest.raises(BrokenStream, match="unsafe topic name"):
        Topic(name)


WRONG: list[tuple[type, dict[str, Any], str]] = [
    (Files, {"format": "xml"}, "unknown format"),
    (Files, {"settle_s": -1}, "settle_s"),
    (Files, {"settle_s": 3601}, "settle_s"),
    (Files, {"settle_s": float("nan")}, "settle_s"),
    (Files, {"separator": ""}, "separator"),
    (Files, {"separator": ";;"}, "separator"),
    (Files, {"separator": "\n"}, "separator"),
    (Files, {"separator": '"'}, "separator"),
    (Files, {"multiline": True}, "multiline is for csv"),
    (Files, {"format": "parquet", "multiline": True}, "multiline is for csv"),
    (Files, {"format": "csv", "multiline": "no"}, "multiline='no' is not True or False"),
    (Limits, {"whole_file_bytes": 0}, "whole_file_bytes"),
    (
        Stream,
        {"name": "s", "source": Files("csv", multiline=True), "sink": Files("csv", multiline=True)},
        "multiline is for a source",
    ),
    (Files, {"duplicates": "drop"}, "duplicates='drop' is not refuse or take"),
    (Topic, {"name": "t", "format": "parquet"}, "unknown format"),
    (Topic, {"name": "t", "partitions": 0}, "partitions"),
    (Topic, {"name": "t", "partitions": 1001}, "partitions"),
    (Limits, {"batch_bytes": 0}, "batch_bytes"),
    (Limits, {"file_bytes": 0}, "file_bytes"),
    (Limits, {"line_bytes": "1"}, "line_bytes"),
    (Limits, {"unpack_ratio": 0.5}, "unpack_ratio"),
    (Limits, {"batch_records": -1}, "batch_records"),
    (Limits, {"run_s": 1.5}, "run_s"),
    (Limits, {"driver_memory_mib": True}, "driver_memory_mib"),
    (Stream, {"name": "s", "source": Files("parquet"), "sink": Files()}, "a source is json or csv"),
    (Published, {"stream": "../s"}, "unsafe stream name"),
    (
        Stream,
        {"name": "s", "source": Published("s"), "sink": Files()},
        "cannot read what it publishes itself",
    ),
    (
        Stream,
        {"name": "s", "source": Published("t"), "sink": Topic("t", key="k")},
        "a stream that reads a published one writes files",
    ),
    (
        Stream,
        {"name": "s", "source": Published("t"), "sink": Files(), "checks": Checks(unknown_fields="quiet")},
        "checks belong to t",
    ),
    (
        Stream,
        {"name": "s", "source": Files(), "sink": Files(), "mode": "complete"},
        "use mode='append' with a watermark",
    ),
    (
        Stream,
        {"name": "s", "source": Files(), "sink": Files(), "mode": "update"},
        "a row that changed would stand in two batches",
    ),
    (
        Stream,
        {"name": "s", "source": Files(), "sink": Files(), "mode": "once"},
        r"unknown mode 'once' \(append, complete, update\)",
    ),
    (
        Stream,
        {"name": "s", "source": Files(), "sink": Files(), "close_windows": "end-of-run"},
        "close_windows needs stateful=True",
    ),
    (
        Stream,
        {"name": "s", "source": Files(), "sink": Files(), "close_windows": "now"},
        "close_windows='now' is not",
    ),
    (Stream, {"name": "s", "source": Files(), "sink": Topic("t")}, "key=COLUMN"),
    (Stream, {"name": "s", "source": Topic("t"), "sink": Topic("t", key="k")}, "never ends"),
    (Stream, {"name": "s", "source": Files(), "sink": Files(), "lease_wait_s": -1}, "negative"),
    (Stream, {"name": "s", "source": Files(), "sink": Files(), "retries": -1}, "negative"),
]


@pytest.mark.parametrize(("kind", "values", "why"), WRONG)
def test_a_wrong_value_is_refused_by_name(kind: type, values: dict[str, Any], why: str) -> None:
    with pytest.raises(BrokenStream, match=why):
        kind(**values)


def test_a_folder_is_the_streams_name_unless_it_is_said() -> None:
    assert Stream("s", Files(), Files()).folder == "s"
    assert Stream("s", Files(folder="f"), Files()).folder == "f"
    assert Stream("s", Topic("t"), Files()).folder == ""


def test_topics_and_guarantee_follow_from_the_ends() -> None:
    both = Stream("s", Topic("t"), Topic("u", key="k"))
    assert [t.name for t in both.topics] == ["t", "u"]
    assert both.guarantee == "exactly-once (for consumers with isolation.level=read_committed)"
    assert both.tokens == Topic(
        "caudal-tokens-s", partitions=1, config=(("cleanup.policy", "compact"), ("segment.ms", "3600000"))
    )
    spark = Stream("s", Topic("t"), Topic("u", key="k", delivery="at-least-once"))
    assert (spark.guarantee, spark.tokens) == ("at-least-once (Spark's Kafka sink)", None)
    assert Stream("s", Topic("t"), Files()).tokens is None
    assert Stream("s", Topic("t"), Files()).guarantee == "exactly-once"
    assert Stream("s", Files(), Files()).topics == ()
