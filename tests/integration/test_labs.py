"""Labs as a newcomer starts them: those that need Spark's UI, Ctrl-C, or a run of Caudal for comparison.

Each is a process, `./caudal lab NAME`. tests/jobs/labs runs the other labs in one process.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest

from include.samples import facturas
from include.settings import ROOT
from include.torture.runs import wait_for

pytestmark = [pytest.mark.spark, pytest.mark.slow]
RUN_S = 240.0


def start(home: Path, *words: str, of: Path | None = None) -> subprocess.Popen[str]:
    """Starts the command line; its output goes to `home`/output. `of`: the home that it uses, if another
    one."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CAUDAL_KAFKA")}
    environ = kept | {"CAUDAL_HOME": str(of or home), "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    home.mkdir(parents=True, exist_ok=True)
    with (home / "output").open("w") as out:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "include.cli", *words],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )


def output(home: Path) -> str:
    return (home / "output").read_text(encoding="utf-8")


def lab(home: Path, name: str, *words: str) -> tuple[dict[str, Any], str]:
    """Facts, and what was printed."""
    process = start(home, "lab", name, "--json", *words)
    assert process.wait(RUN_S) == 0, output(home)
    return json.loads(output(home).splitlines()[-1])["facts"], output(home)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One home for all tests: each lab has its folder, and the History Server shows what they left."""
    yield tmp_path_factory.mktemp("labs")


def shown_tables(text: str) -> list[dict[str, int]]:
    """The batches that the console shows, each as word -> count."""
    return [
        {m[1]: int(m[2]) for m in re.finditer(r"^\|(\S+) +\|(\d+) +\|$", part, re.M)}
        for part in re.split(r"^Batch: \d+$", text, flags=re.M)[1:]
    ]


def test_ctrl_c_ends_caso_1_after_the_batch_with_exit_0(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = start(
            home, "lab", "caso1_palabras", "--port", str(server.getsockname()[1]), "--mode", "update"
        )
        server.settimeout(RUN_S)
        reader, _ = server.accept()
        with reader:
            for number, line in enumerate(("a b", "b c"), 1):
                reader.sendall(f"{line}\n".encode())
                wait_for(
                    lambda number=number: len([t for t in shown_tables(output(home)) if t]) == number,
                    f"batch {number}",
                )
            asked = start(home / "beside", "spark-ui", "--running", "--json", of=home)
            assert asked.wait(60) == 0
            assert re.fullmatch(
                r"http://127\.0\.0\.1:\d+",
                json.loads(output(home / "beside").splitlines()[-1])["running"]["caso1_palabras"],
            )
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0, output(home)
    assert [table for table in shown_tables(output(home)) if table] == [{"a": 1, "b": 1}, {"b": 2, "c": 1}]
    assert "2 líneas en 2 micro-batches; el checkpoint guarda 3 palabras, 4 apariciones" in output(home)


def test_actividad_1_counts_the_jobs_stages_and_tasks_of_five_batches(home: Path) -> None:
    facts, text = lab(home, "actividad1_microlotes")
    assert [(b["batch"], b["lines"]) for b in facts["batches"]] == [
        (0, 0),
        (1, 1),
        (2, 1),
        (3, 1),
        (4, 1),
        (5, 1),
    ]
    assert [b["jobs"] for b in facts["batches"]] == [[[2, 3]]] * 6
    assert facts["counts"] == {"uno": 3, "dos": 2, "tres": 1, "cuatro": 1, "cinco": 2}
    assert "la interfaz de Spark mientras corre: http://127.0.0.1:" in text


def test_an_impossible_mode_is_one_line_and_spark_does_not_start(home: Path) -> None:
    start_s = time.monotonic()
    process = start(home, "lab", "actividad1_microlotes", "--mode", "append")
    assert (process.wait(60), len(output(home).splitlines())) == (64, 1), output(home)
    assert "modo append" in output(home)
    assert time.monotonic() - start_s < 30


def test_a_port_that_is_none_is_one_line_that_names_the_lab(tmp_path: Path) -> None:
    process = start(tmp_path, "lab", "caso1_palabras", "--port", "70000")
    assert process.wait(60) == 64
    assert (
        output(tmp_path)
        == "caudal: usage: '70000' es mayor que 65535 [--port] -> ./caudal lab caso1_palabras --help\n"
    )


def test_actividad_2_counts_salida_file_by_file_the_plan_and_the_progress_and_caudal_the_same(
    home: Path,
) -> None:
    facts, _ = lab(home, "actividad2_resumen")
    lines = [
        sum(len(facturas.lines_of(d)) for d in text.splitlines()) for text in facturas.files(4, 50).values()
    ]
    assert facts["after"] == [[f"facturas-{n}.json", n, sum(lines[:n])] for n in (1, 2, 3, 4)]
    assert (
        facts["plan"]["Generate: number of output rows"],
        facts["plan"]["Scan json: number of files read"],
    ) == (sum(lines), 4)
    assert (facts["progress"]["batches"], facts["progress"]["filas"]) == (4, 200)
    assert facts["caudal"] == {"batches": 1, "records_in": 200, "rows_out": sum(lines), "quarantined": 0}


def test_spark_ui_shows_what_labs_have_left_and_leaves_no_process(home: Path) -> None:
    """Must run after the labs above: it looks at what they left."""
    process = start(home, "spark-ui", "--json")
    wait_for(lambda: '"history"' in output(home), "the History Server is up", of=process)
    shown = json.loads(output(home).splitlines()[-1])
    assert {a["name"] for a in shown["applications"]} == {
        "lab-caso1_palabras",
        "lab-actividad1_microlotes",
        "lab-actividad2_resumen",
    }
    page = shown["applications"][0]["page"].replace("/jobs/", "/StreamingQuery/")
    with urlopen(page, timeout=60) as answer:  # noqa: S310 - the server started above
        assert "facturas" in answer.read().decode()
    server = psutil.Process(process.pid).children(recursive=True)
    assert {c.laddr.ip for one in server for c in one.net_connections("tcp") if c.status == "LISTEN"} <= {
        "127.0.0.1",
        "::ffff:127.0.0.1",
    }
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0, output(home)
    assert [one for one in server if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []


def test_spark_ui_before_any_lab_says_what_to_run(tmp_path: Path) -> None:
    process = start(tmp_path, "spark-ui")
    assert process.wait(60) == 64
    assert "./caudal lab caso2_monitorizacion" in output(tmp_path).splitlines()[-1]
