"""status, show, doctor and quarantine as a person sees them, at terminals of several widths and without one:
golden facts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from include import settings as caudal
from include import streams
from include.cli.start import doctor
from include.doctor import findings
from include.settings import ROOT
from jobs.contract.commit.manifest import Manifest, OutputFile
from jobs.contract.disk.layout import MANIFEST, Layout
from jobs.contract.run import report, spec
from tests.include.cli.terminals import verb

STREAM = "facturas_ficheros"
COLUMNS = ("InvoiceNumber", "City", "State", "ItemDescription", "ItemPrice", "TotalValue")
ROWS: list[dict[str, Any]] = [
    {"InvoiceNumber": "900000158", "ItemDescription": "Recliner", "ItemPrice": 1585.0, "TotalValue": 1585.0},
    {
        "InvoiceNumber": "900000159",
        "City": "Ñuñoa",
        "State": "Región Metropolitana",
        "ItemDescription": "Hutch, four doors",
        "TotalValue": 1812.5,
    },
]
IDLE = 3


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that read two records, then a schedule's empty ones."""
    layout = Layout(tmp_path_factory.mktemp("looks") / "home")
    folder = layout.batch(STREAM, 1, 0)
    folder.mkdir(parents=True)
    (folder / "part-0.json").write_text("".join(json.dumps(one) + "\n" for one in ROWS))
    files = (OutputFile("part-0.json", 1, "", 2),)
    (folder / MANIFEST).write_bytes(
        Manifest(STREAM, "q", 1, 0, "d", {}, {}, files, 2, 2, 0, "", "r", columns=COLUMNS).to_json()
    )
    for minute in range(1 + IDLE):
        at = datetime(2026, 11, 23, 20, minute, tzinfo=UTC)
        run = layout.run(STREAM, spec.new_run_id(at))
        run.mkdir(parents=True)
        counts = {"records_in": 2, "rows_out": 2, "batches": (0,)} if minute == 0 else {}
        (run / "report.json").write_bytes(
            report.Report(STREAM, run.name, "idle" if minute else "done", at.isoformat(), **counts).to_json()
        )
    return layout.home


@pytest.fixture(autouse=True)
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("CAUDAL_KAFKA")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CAUDAL_CACHE", str(caudal.load().cache))
    monkeypatch.setenv("CAUDAL_HOME", str(home))
    yield


def piped(*words: str) -> list[str]:
    line = [sys.executable, "-P", "-m", "include.cli", *words]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, "\x1b" in done.stdout + done.stderr) == (0, False), done
    return done.stdout.splitlines()


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_status_names_every_stream_whole_and_fits_where_it_is_a_table(columns: int) -> None:
    found = verb(columns, "status")
    firsts = [line.removeprefix("stream").split()[0] for line in found if line.split()]
    assert set(streams.collect()[0]) <= set(firsts)
    if columns >= 80:
        table = found[next(at for at, line in enumerate(found) if line.startswith("stream ")) :]
        assert all(cell_len(line) <= columns for line in table)
        (row,) = [line.split() for line in table if line.startswith(f"{STREAM} ")]
        assert row[1] == "idle" and " 2026-11-23 20:00 2 2 0" in " ".join(row)
        assert "no room here for" in "\n".join(table)


def test_status_without_a_terminal_is_a_line_a_stream_with_both_runs() -> None:
    (row,) = [line for line in piped("status") if line.startswith(f"{STREAM} ")]
    assert row.split()[:9] == [
        STREAM,
        "idle",
        "2026-11-23",
        f"20:0{IDLE}",
        "2026-11-23",
        "20:00",
        "2",
        "2",
        "0",
    ]
    told = json.loads(piped("status", "--json")[-1])["streams"]
    (one,) = [one for one in told if one["name"] == STREAM]
    assert (one["last"], one["records_in"], one["with_data"]["records_in"]) == ("idle", 0, 2)


@pytest.mark.parametrize("columns", [40, 60, 200])
def test_show_has_every_value_whole_beside_its_column_in_the_order_of_the_sink(columns: int) -> None:
    found = [line for line in verb(columns, "show", STREAM) if line]
    if columns >= 200:
        assert tuple(found[0].split()) == COLUMNS
        assert found[1].split()[-1] == "1585.0" and all(cell_len(line) <= columns for line in found[:3])
    else:
        records = [tuple(line.split(maxsplit=1)) for line in found[: 2 * len(COLUMNS)]]
        wanted = [(c, str(row[c])) if c in row else (c,) for row in ROWS for c in COLUMNS]
        assert records == wanted
    assert any(line.startswith("newest run with data") and "2 records in" in line for line in found)


def test_doctor_tells_what_is_not_ok_in_unbroken_lines_and_the_rest_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAUDAL_HOME", str(tmp_path))
    every = piped("doctor", "--all", "--json")
    found = json.loads(every[-1])
    states = [one["state"] for one in found["findings"]]
    assert {line[:5] for line in every[:-2]} == {"ok   ", "note "} and len(every) == len(states) + 2
    assert sorted(found) == ["findings", "ok", "wrong"] and sorted(found["findings"][0]) == [
        "check",
        "fix",
        "state",
        "what",
    ]
    short = [line for line in verb(60, "doctor") if line]
    assert short[-1] == f"{len(states)} checks, nothing is wrong"
    assert len(short) < 12 < len(states) and not any(line.startswith("ok") for line in short)
    never = [line for line in short if "never run" in line]
    names = ", ".join(streams.collect()[0])
    assert never == [f"note   streams {names}: never run  -> ./caudal run STREAM"]


def test_doctor_is_silent_of_what_is_ok_but_for_the_canary_that_somebody_asked_for() -> None:
    found = [
        findings.ok("java", "17"),
        findings.ok("canary", "done in 3 s"),
        findings.wrong("disk", "full", "free some"),
    ]
    assert list(doctor._short(found, quiet=False)) == [
        "ok     canary: done in 3 s",
        "WRONG  disk: full  -> free some",
    ]
    assert list(doctor._short(found, quiet=True)) == ["WRONG  disk: full  -> free some"]
