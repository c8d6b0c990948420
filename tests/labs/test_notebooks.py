"""The notebooks of labs/: their form in the checkout, and their results when they are run from start to end,
as a learner would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest

from include import settings as caudal
from include.labs import notebook
from include.samples import bizums, facturas
from include.settings import ROOT, Settings

PATHS = sorted((ROOT / "labs").glob("*.ipynb"))
RUN_S = 280.0  # they take 30 s on an idle machine


def run(home: Path, *words: str, bootstrap: str = "") -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CAUDAL_KAFKA", "PYTHON"))}
    environ = (
        kept
        | {"CAUDAL_HOME": str(home), "PYTHONPATH": str(ROOT)}
        | ({"CAUDAL_KAFKA_BOOTSTRAP": bootstrap} if bootstrap else {})
    )
    line = [sys.executable, "-P", "-m", "include.cli", "notebook", *words]
    return subprocess.run(line, env=environ, capture_output=True, text=True, timeout=RUN_S, check=False)


class Given:
    """What a run of a notebook gave, cell by cell."""

    def __init__(self, home: Path, name: str) -> None:
        raw = nbformat.read(home / "cuadernos" / "ejecutados" / f"{name}.ipynb", as_version=4)
        self.cells: dict[str, Any] = {cell["id"]: cell for cell in raw.cells if cell.cell_type == "code"}

    def value(self, cell: str) -> str:
        """The cell's last value, as text."""
        return str(
            next(
                out["data"]["text/plain"]
                for out in self.cells[cell].outputs
                if out.output_type == "execute_result"
            )
        )

    def printed(self, cell: str) -> str:
        return "".join(
            out["text"]
            for out in self.cells[cell].outputs
            if out.output_type == "stream" and out.name == "stdout"
        )

    def picture(self, cell: str) -> str:
        """Base 64."""
        return str(
            next(
                out["data"]["image/png"]
                for out in self.cells[cell].outputs
                if "image/png" in out.get("data", {})
            )
        )

    def rows(self, cell: str) -> list[list[str]]:
        """Of a table: without its head and its numbering."""
        return [re.split(r"\s{2,}", line.strip())[1:] for line in self.value(cell).splitlines()[1:]]

    def unequal(self) -> list[str]:
        """Cells that compare with plain Python, and did not find it equal."""
        last = {cell: found.source.strip().splitlines()[-1] for cell, found in self.cells.items()}
        compared = [
            cell for cell, line in last.items() if re.search(r"\) == |\bdias\(\) == | == muestra", line)
        ]
        assert compared
        return [cell for cell in compared if self.value(cell) != "True"]

    def said_on_stderr(self) -> Iterable[str]:
        return [
            out["text"]
            for cell in self.cells.values()
            for out in cell.outputs
            if out.output_type == "stream" and out.name == "stderr"
        ]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_stands_without_outputs_and_begins_with_its_lab(path: Path) -> None:
    raw = json.loads(path.read_text(encoding="utf-8"))
    nbformat.validate(nbformat.from_dict(raw))
    cells = raw["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["id"] for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []
    assert len({cell["id"] for cell in cells}) == len(cells)
    assert "".join(code[0]["source"]).startswith(
        "from jobs.labs.kit import notebook as cuaderno\n\nlab = cuaderno.abrir("
    )
    assert cells[0]["source"][0].startswith("# ")
    assert raw["metadata"]["kernelspec"]["name"] == "python3"


def test_they_are_listed_with_what_they_need(tmp_path: Path) -> None:
    done = run(tmp_path, "--list", "--json")
    listed = json.loads(done.stdout.splitlines()[-1])["notebooks"]
    assert [one["name"] for one in listed] == [path.stem for path in PATHS]
    assert [one["name"] for one in listed if one["broker"]] == ["03-kafka-dos-escritores"]
    assert not (tmp_path / "jupyter").exists()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--execute", "99-nada"], 64, "usage: no notebook '99-nada' [labs/] -> ./caudal notebook --list"),
        (["--execute", "03-kafka-dos-escritores"], 69, "broker-down: this home has no running broker"),
    ],
)
def test_what_cannot_be_run_is_one_line(tmp_path: Path, words: list[str], code: int, told: str) -> None:
    done = run(tmp_path, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"caudal: {told}")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.spark
def test_a_foreseen_error_is_one_line_in_its_cell_and_ends_the_notebook(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As in JupyterLab, where the broker is asked for by the notebook itself."""
    settings = caudal.load(
        {k: v for k, v in os.environ.items() if not k.startswith("CAUDAL_KAFKA")}
        | {"CAUDAL_HOME": str(tmp_path)}
    )
    unchecked = replace(notebook.get(settings, "03-kafka-dos-escritores"), broker=False)
    assert notebook.execute(settings, [unchecked]) == 1
    assert "03-kafka-dos-escritores.ipynb: cell abrir failed: BrokerDown: " in capfd.readouterr().out
    given = Given(tmp_path, unchecked.name)
    assert re.fullmatch(
        r"caudal: broker-down: este cuaderno necesita Kafka.* -> \./caudal up.*\n", given.printed("abrir")
    )
    assert [cell for cell, found in given.cells.items() if found.execution_count] == ["abrir"]


def test_a_failed_cell_is_named_and_no_other_notebook_is_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = caudal.load({**os.environ, "CAUDAL_HOME": str(tmp_path)})
    cells = [
        nbformat.v4.new_code_cell("x = 0", id="bien"),
        nbformat.v4.new_code_cell("1 / x", id="mal"),
        nbformat.v4.new_code_cell("3", id="tras"),
    ]
    path = tmp_path / "malo.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    bad = notebook.Notebook("malo", path, "", broker=False)
    assert notebook.execute(settings, [bad, bad]) == 1
    assert capfd.readouterr().out.splitlines() == [
        "malo.ipynb ...",
        "malo.ipynb: cell mal failed: ZeroDivisionError: division by zero "
        f"({tmp_path}/cuadernos/ejecutados/malo.ipynb)",
    ]


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.broker
def test_all_run_from_start_to_end_with_the_values_of_plain_python(tmp_path: Path, broker: Settings) -> None:
    """In one kernel and one Spark, one after the other: that start is most of the time."""
    names = [path.stem for path in PATHS]
    done = run(
        tmp_path, *(word for name in names for word in ("--execute", name)), bootstrap=broker.kafka_bootstrap
    )
    assert done.returncode == 0, done.stdout + done.stderr
    words, invoices, two_writers, windows = given = [Given(tmp_path, name) for name in names]
    assert [one.unequal() for one in given] == [[], [], [], []]
    assert [text for one in given for text in one.said_on_stderr()] == []
    of_words(words)
    of_invoices(invoices)
    of_two_writers(two_writers)
    of_windows(windows)


def of_words(given: Given) -> None:
    twice, once = {"Ochoa", "Severo", "en"}, {"El", "Elche", "Spark", "Streaming", "el", "está"}
    assert given.rows("segunda") == [
        *([word, "2"] for word in sorted(twice)),
        *([word, "1"] for word in sorted(once)),
    ]
    assert dict(given.rows("update")) == {**dict.fromkeys(twice, "[1, 2]"), **dict.fromkeys(once, "[1]")}
    assert re.findall(r"'filas': (\d+), 'palabras en el estado': (\d+)", given.value("progreso")) == [
        ("1", "6"),
        ("1", "9"),
    ]


def of_invoices(given: Given) -> None:
    sample = facturas.generate(600, 2, 1_700_000_000_000)
    assert given.printed("comprobacion") == f"{sample.totals.lines} líneas, {sample.totals.total_value:.0f}\n"
    assert [row[:2] for row in given.rows("progreso")] == [["0", "100"], ["1", "200"], ["2", "300"]]
    assert len(given.picture("grafica")) > 10_000
    assert given.printed("otra") == "sin nada nuevo: 0 facturas\ncon un fichero más: 10 facturas\n"
    assert "Generate explode" in given.printed("plan")


def of_two_writers(given: Given) -> None:
    assert given.value("datos") == "200"
    assert given.printed("espera") == "ha terminado alguno: False\n"
    read = [json.loads(line.partition(" ")[2]) for line in given.printed("checkpoints").splitlines()]
    assert [sum(ends.values()) for offsets in read for ends in offsets.values()] == [200, 200]


def of_windows(given: Given) -> None:
    lines = list(bizums.dated_lines(240, 7, datetime(2026, 11, 1, tzinfo=UTC), 3))
    days = sorted({day for day, _ in bizums.highest_by_day(lines)})
    assert given.printed("comprobacion") == f"cerrados: {days[:-1]} abiertos: {days[-1:]}\n"
    assert given.printed("despues") == f"descartadas: 1\ncerrados: {days}\n"
