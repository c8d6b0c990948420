"""What goes with what: every combination has one answer, a refusal always with a way out, and a row is
refused before Spark starts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from include import labs
from jobs.contract.errors import BrokenStream, DataError, Refused, UsageError
from jobs.labs.declared import camino, combinations
from jobs.labs.declared.combinations import Combination, verdict
from jobs.labs.declared.ends import (
    Console,
    Delta,
    Folder,
    Foreach,
    ForeachBatch,
    Memory,
    Mode,
    Mongo,
    Pipeline,
    Rate,
    Socket,
    State,
    Subscription,
    Table,
    Trigger,
)
from jobs.labs.declared.lab import Lab, LabSpec, Option

WORDS = labs.get("camino").values({})


def test_every_combination_works_or_says_why_not_and_what_instead() -> None:
    found = [verdict(c) for c in combinations.every()]
    assert len(found) == 5 * 9 * 3 * 5 * 3
    assert all(
        (v.works and not v.why and not v.instead) or (not v.works and v.why and v.instead) for v in found
    )
    assert 0 < sum(v.works for v in found) < len(found)


@pytest.mark.parametrize(
    ("source", "sink", "mode", "trigger", "state", "works"),
    [
        ("socket", "console", "complete", "default", "aggregation", True),  # Caso 1
        ("files", "files", "append", "processing-time", "none", True),  # Caso 2
        ("kafka", "kafka", "append", "available-now", "none", True),  # Caso 4
        ("kafka", "kafka", "append", "continuous", "none", True),
        ("rate", "console", "update", "continuous", "none", True),
        ("kafka", "mongodb", "complete", "once", "aggregation", True),
        ("files", "files", "complete", "default", "aggregation", False),
        ("files", "files", "update", "default", "aggregation", False),
        ("files", "console", "append", "default", "aggregation", False),
        ("files", "console", "complete", "default", "none", False),
        ("files", "console", "append", "continuous", "none", False),
        ("kafka", "files", "append", "continuous", "none", False),
        ("kafka", "console", "complete", "continuous", "aggregation", False),
        ("socket", "console", "append", "available-now", "none", False),
        ("rate", "memory", "append", "once", "none", False),
        ("files", "table", "update", "default", "none", False),
        ("files", "delta", "complete", "available-now", "aggregation", True),
        ("files", "delta", "update", "available-now", "aggregation", False),
    ],
)
def test_what_the_course_shows_works_and_what_spark_refuses_is_refused(
    source: str, sink: str, mode: Mode, trigger: Trigger, state: State, works: bool
) -> None:
    assert verdict(Combination(source, sink, mode, trigger, state)).works is works


def test_a_refused_way_names_itself_the_reason_and_the_way_out() -> None:
    with pytest.raises(Refused, match=r"socket -> files, mode complete, trigger default: .* \[x\] -> use "):
        combinations.require(
            Pipeline(Socket(), Folder("salida"), "complete", "default", state="aggregation"), "x"
        )
    combinations.require(Pipeline(Socket(), Console(), "complete", "default", state="aggregation"), "x")


def test_words_of_the_lab_become_a_way_or_name_the_option_that_is_off() -> None:
    pipeline = camino.pipeline(WORDS | {"source": "kafka", "sink": "memory", "format": "avro"})
    assert (pipeline.kinds, pipeline.mode, pipeline.trigger, pipeline.state) == (
        ("kafka", "memory"),
        "append",
        "default",
        "none",
    )
    for option, word in (
        ("source", "hdfs"),
        ("sink", "s3"),
        ("mode", "upsert"),
        ("trigger", "now"),
        ("state", "full"),
        ("format", "xml"),
    ):
        with pytest.raises(UsageError, match=rf"\[--{option}\]"):
            camino.pipeline(WORDS | {option: word})
    with pytest.raises(UsageError, match="--format"):
        camino.pipeline(WORDS | {"source": "kafka", "format": "parquet"})
    for options, named in (
        ({"header": True}, "--format"),
        ({"separator": ";"}, "--format"),
        ({"format": "csv", "separator": "ab"}, "--separator"),
        ({"format": "csv", "separator": '"'}, "--separator"),
        ({"format": "csv", "infer": True}, "--infer"),
        ({"max_files": 1, "max_bytes": 1}, "--max-files, --max-bytes"),
    ):
        with pytest.raises(UsageError, match=re.escape(f"[{named}]")):
            camino.pipeline(WORDS | options)
    for end, option, value in (
        ("source", "header", True),
        ("source", "max_files", 1),
        ("sink", "rows", 3),
        ("sink", "truncate", False),
    ):
        with pytest.raises(UsageError, match=rf"table \({end}\) no tiene esa opción"):
            camino.pipeline(WORDS | {end: "table", option: value})
    assert camino.pipeline(WORDS | {"rows": 3, "truncate": False}).sink == Console(3, truncate=False)


def test_ends_check_themselves() -> None:
    for make in (
        lambda: Folder("../x"),
        lambda: Folder(format="xml"),
        lambda: Folder(max_files=1, max_bytes=1),
        lambda: Folder(max_files=0),
        lambda: Subscription(),
        lambda: Subscription(("a",), pattern="b"),
        lambda: Subscription(("a",), start="now"),
        lambda: Socket("a b"),
        lambda: Socket(port=0),
        lambda: Table("a;b"),
        lambda: Memory("A"),
    ):
        with pytest.raises(BrokenStream):
            make()


def test_a_way_survives_the_spec_of_a_run(tmp_path: Path) -> None:
    sources = (
        Folder("a", "csv", options=(("sep", ";"),)),
        Subscription(("x", "y"), start={"x": {"0": 3}}),
        Subscription(pattern="x.*", start=5),
        Socket(port=1),
        Rate(3),
        Table("t"),
    )
    simple = (Foreach(), ForeachBatch(), Delta("d"))
    sinks = (
        Folder("b"),
        Subscription(("z",)),
        Table("u"),
        Console(5, False),
        Memory("m"),
        *simple,
        Mongo("d", "c", "k"),
    )
    for source in sources:
        for sink in sinks:
            spec = LabSpec(
                "x",
                "/h",
                "/h/labs/x",
                {"n": 1, "s": "ñ", "b": True},
                pipeline=Pipeline(source, sink, "append", "continuous", "1 second", "none"),
            )
            assert LabSpec.from_json(spec.to_json()) == spec
    assert LabSpec.from_json(LabSpec("x", "/h", "/f", {}).to_json()).pipeline is None
    for text in (b"", b"[]", b"{}", b'{"lab": 1}', spec.to_json().replace(b'"Mongo"', b'"Hdfs"')):
        with pytest.raises(DataError):
            LabSpec.from_json(text, tmp_path)


def test_options_have_the_type_of_their_default() -> None:
    lab = Lab(
        "x",
        "t",
        "s",
        (Option("n", 1, ""), Option("f", 0.5, ""), Option("w", "a", ""), Option("b", False, "")),
    )
    assert lab.values({}) == {"n": 1, "f": 0.5, "w": "a", "b": False}
    assert lab.values({"n": "7", "f": "2", "w": "z", "b": "yes"}) == {"n": 7, "f": 2.0, "w": "z", "b": True}
    for name, text in (("n", "1.5"), ("f", "x"), ("b", "maybe"), ("q", "1")):
        with pytest.raises(UsageError, match=f"--{name}"):
            lab.values({name: text})
