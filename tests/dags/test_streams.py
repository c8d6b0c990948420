"""The DAG factory as Airflow sees it: one DAG per row, and a broken row is named and harms no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include import streams
from tests.dags.conftest import Parse
from tests.matrix import long

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def test_a_stream_dag_is_its_row_and_one_task_that_calls_the_launcher(bag: dict[str, Any]) -> None:
    dag = bag["dags"]["facturas_ficheros"]
    row = streams.get("facturas_ficheros")
    assert dag["doc_md"] == row.doc
    what = "reads invoices from JSON files, and publishes one document per invoice line"
    assert dag["description"] == f"Every five minutes: {what} (Caso 2)."
    assert dag["tags"] == ["caso-2", "facturas", "stream"]
    assert dag["params"] == {}
    assert dag["timeout_s"] == 3 * (3600 + 600) + 2 * 30
    assert dag["tasks"] == [
        {
            "id": "run",
            "type": "StreamOperator",
            "owner": "caudal",
            "pool": "spark",
            "retries": 2,
            "retry_delay_s": 30.0,
            "template_fields": [],
            "timeout_s": 3600.0,
            "inlets": ["caudal://entrada/facturas_ficheros"],
            "outlets": ["caudal://salida/facturas_ficheros"],
            "application": str(ROOT / "jobs" / "facturas_ficheros.py"),
            "binary": str(ROOT / "include" / "launch" / "launcher"),
            "connection": "spark_default",
        }
    ]


def test_the_three_streams_of_the_course_start_a_minute_apart(bag: dict[str, Any]) -> None:
    found = {name: dag["schedule"] for name, dag in bag["dags"].items() if dag["file"] == "streams.py"}
    names = sorted(name for name, stream in streams.collect()[0].items() if stream.schedule == "*/5 * * * *")
    starts = ["*/5", "1-59/5", "2-59/5", "3-59/5", "4-59/5"]
    assert {n: found[n] for n in names} == {n: f"{starts[i % 5]} * * * *" for i, n in enumerate(names)}


def test_assets_join_the_stream_that_writes_a_topic_with_those_that_read_it(bag: dict[str, Any]) -> None:
    ends = {
        name: (dag["tasks"][0]["inlets"], dag["tasks"][0]["outlets"])
        for name, dag in bag["dags"].items()
        if dag["file"] == "streams.py"
    }
    assert ends["facturas_kafka"] == (["caudal://topic/facturas"], ["caudal://salida/facturas_kafka"])
    assert ends["notificaciones"] == (["caudal://topic/facturas"], ["caudal://topic/notificaciones"])


IMPORT = "from jobs.contract.stream import Files, Stream\n"
NEW = f'"""Receipts in."""\n\n{IMPORT}\nSTREAM = Stream(name="recibos", source=Files("csv"), sink=Files())\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        long(("STREAM = Stream(\n", "SyntaxError")),
        long(("import a_module_that_nobody_has\n", "No module named 'a_module_that_nobody_has'")),
        (f'{IMPORT}STREAM = Stream(name="Mal", source=Files(), sink=Files())\n', "unsafe stream name 'Mal'"),
    ],
)
def test_a_new_row_is_a_new_dag_and_a_broken_one_is_one_named_import_error(
    checkout: Path, parsed: Parse, bag: dict[str, Any], text: str, reason: str
) -> None:
    for name, row in (("recibos", NEW), ("rota", text)):
        (checkout / "include" / "streams" / f"{name}.py").write_text(row)
    found = parsed(checkout)
    assert set(found["dags"]) == {*bag["dags"], "recibos"}
    assert found["dags"]["recibos"]["doc_md"] == "Receipts in."
    assert set(found["errors"]) == {"broken_streams.py"}
    last = found["errors"]["broken_streams.py"].strip().splitlines()[-1]
    assert "include/streams/rota.py" in last
    assert reason in last
