"""new-stream for labs: which words make one, what is refused, and files that load, lint and agree with the
row."""

from __future__ import annotations

import ast
import importlib.util
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pyspark.sql import SparkSession

from include.labs import scaffold
from include.labs.scaffold import Manner
from include.scaffold import write
from include.scaffold.request import Words
from include.settings import ROOT
from jobs.contract.errors import CaudalError, Refused, UsageError
from jobs.labs.declared.ends import Folder, Pipeline

COLUMNS = "sensor:string,value:double,at:timestamp,d:decimal(10,2)"
WAYS = [
    ("socket:9999", "console", Manner("update", "default", "aggregation")),
    ("rate:5", "memory:vista", Manner(trigger="continuous")),
    ("table:clientes", "table:copia", Manner()),
    ("files:parquet", "files:orc", Manner()),
    ("files:text", "foreach", Manner()),
    ("files:avro", "foreachBatch", Manner("complete", "once", "aggregation")),
    ("kafka:/iot_.*/", "mongodb:iot.lecturas:sensor", Manner("update")),
    ("kafka:iot:avro", "topic:salida", Manner(trigger="processing-time")),
    ("kafka:iot", "topic:salida:avro", Manner()),
    ("files:csv", "delta:medidas", Manner()),
    ("rate:5", "delta", Manner("complete", state="windowed")),
    ("files:orc", "mongodb:iot.lecturas:start", Manner("update", state="windowed")),
    ("kafka:iot:text", "mongodb:iot.lecturas:value", Manner("complete", state="aggregation")),
]


def made(root: Path, source: str, sink: str, manner: Manner) -> scaffold.LabRequest:
    (root / "jobs" / "labs").mkdir(parents=True, exist_ok=True)
    return scaffold.check(Words("medidas", source, sink, COLUMNS), manner, root, {}, {})


@pytest.mark.parametrize(("source", "sink", "manner"), WAYS, ids=lambda v: v if isinstance(v, str) else "")
def test_a_row_that_is_written_loads_as_the_way_that_was_asked_for(
    tmp_path: Path, source: str, sink: str, manner: Manner
) -> None:
    request = made(tmp_path, source, sink, manner)
    files = {
        file.path.relative_to(tmp_path).as_posix(): file.text for file in scaffold.plan(request, tmp_path)
    }
    assert list(files) == [
        "jobs/domain/medidas.py",
        "tests/jobs/labs/test_medidas.py",
        "jobs/labs/propios/medidas.py",
        "include/labs/rows/propios/medidas.py",
    ]
    for text in files.values():
        ast.parse(text)
    row = tmp_path / "row.py"
    row.write_text(files["include/labs/rows/propios/medidas.py"])
    spec = importlib.util.spec_from_file_location("row", row)
    assert spec is not None and spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.LAB.pipeline({}) == request.pipeline
    assert isinstance(request.pipeline, Pipeline)


def test_what_is_written_passes_the_linter(tmp_path: Path) -> None:
    for number, (source, sink, manner) in enumerate(WAYS):
        for file in scaffold.plan(made(tmp_path, source, sink, manner), tmp_path):
            target = tmp_path / "written" / str(number) / file.path.relative_to(tmp_path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(file.text)
    ours = "lint.isort.known-first-party=['jobs', 'include']"
    words = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--config",
        str(ROOT / "pyproject.toml"),
        "--config",
        ours,
        "--ignore",
        "S101",
    ]
    done = subprocess.run(
        [*words, str(tmp_path / "written")], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("source", "sink", "manner", "error", "says"),
    [
        ("socket:x", "console", Manner(), UsageError, "--from"),
        ("socket:99999", "console", Manner(trigger="default"), UsageError, "port"),
        ("hdfs:x", "console", Manner(), UsageError, "--from"),
        ("rate:1", "s3:x", Manner(trigger="default"), UsageError, "--to"),
        ("rate:1", "mongodb:a.b", Manner(trigger="default"), UsageError, "--to"),
        ("rate:1", "memory:a;b", Manner(trigger="default"), UsageError, "table name"),
        ("files:xml", "console", Manner(), UsageError, "xml"),
        ("rate:1", "console", Manner("upsert"), UsageError, "--mode"),
        ("rate:1", "console", Manner(trigger="once"), Refused, "use trigger processing-time"),
        ("kafka::text", "console", Manner(), UsageError, "no topic can be called ''"),
        ("kafka:a b:text", "console", Manner(), UsageError, "no topic can be called 'a b'"),
        ("kafka://", "console", Manner(), UsageError, "topics or pattern"),
        ("table:t", "topic:", Manner(), UsageError, "no topic can be called ''"),
        ("table:t", "topic:a:xml", Manner(), UsageError, "unknown format 'xml'"),
        ("table:t", "delta:../x", Manner(), UsageError, "unsafe folder '../x'"),
        (
            "table:t",
            "mongodb:a.b:nada",
            Manner(),
            UsageError,
            "the key nada is none of the columns sensor, value",
        ),
        (
            "table:t",
            "mongodb:a.b:sensor",
            Manner("update", state="windowed"),
            UsageError,
            "none of the columns start, end, count",
        ),
        ("table:t", "mongodb:a$.b:sensor", Manner(), UsageError, "unsafe name 'a$'"),
        ("socket", "console", Manner("update", state="windowed"), UsageError, "a column of type timestamp"),
        ("rate:1", "files:orc", Manner("complete", "default", "aggregation"), Refused, "foreachBatch"),
    ],
)
def test_what_cannot_be_is_one_line_with_the_way_out(
    tmp_path: Path, source: str, sink: str, manner: Manner, error: type[CaudalError], says: str
) -> None:
    with pytest.raises(error) as caught:
        made(tmp_path, source, sink, manner)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_what_was_said_of_csv_files_is_in_the_row_and_no_other_mark_may_part_them(tmp_path: Path) -> None:
    (tmp_path / "jobs" / "labs").mkdir(parents=True)
    words = Words("medidas", "files:csv", "console", COLUMNS, separator=";", header=False)
    assert scaffold.check(words, Manner(), tmp_path, {}, {}).pipeline.source == Folder(
        format="csv", options=(("sep", ";"), ("header", "false"))
    )
    with pytest.raises(UsageError, match="--separator"):
        scaffold.check(replace(words, separator="ab"), Manner(), tmp_path, {}, {})


def test_a_source_without_an_end_is_read_by_processing_time_where_nothing_was_said(tmp_path: Path) -> None:
    triggers = [
        made(tmp_path, source, "console", Manner()).pipeline.trigger
        for source in ("socket", "rate:1", "table:t", "kafka:t:text")
    ]
    assert triggers == ["processing-time", "processing-time", "available-now", "available-now"]


@pytest.mark.spark
@pytest.mark.parametrize("state", ["none", "aggregation", "windowed"])
def test_the_test_that_is_written_passes(tmp_path: Path, spark: SparkSession, state: str) -> None:
    request = made(
        tmp_path, "files:orc", "console", Manner("append" if state == "none" else "update", state=state)
    )
    write.apply(scaffold.plan(request, tmp_path))
    domain = ModuleType("jobs.domain.medidas")
    vars(domain).update(runpy.run_path(str(tmp_path / "jobs/domain/medidas.py")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "jobs.domain.medidas", domain)
        written = runpy.run_path(str(tmp_path / "tests/jobs/labs/test_medidas.py"))
    written["test_rows_come_out_with_these_columns_and_values"](spark)


def test_a_description_that_would_break_the_row_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jobs" / "labs").mkdir(parents=True)
    with pytest.raises(UsageError, match="--about"):
        scaffold.check(
            Words("medidas", "files:orc", "console", COLUMNS, about='dice """hola"""'),
            Manner(),
            tmp_path,
            {},
            {},
        )


def test_ends_of_streams_stay_streams() -> None:
    for source, sink, is_lab in (
        ("files:json", "files:parquet", False),
        ("kafka:t", "topic:u:k", False),
        ("kafka:t:csv", "files:csv", False),
        ("files:text", "files:json", True),
        ("kafka:t", "console", True),
        ("kafka:/t.*/", "files:json", True),
        ("socket", "files:json", True),
        ("files:json", "files:avro", True),
    ):
        assert scaffold.wanted(Words("x", source, sink, COLUMNS)) is is_lab
