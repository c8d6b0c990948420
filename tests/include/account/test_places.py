"""Where the files of a run are after its archiving; also the batches of a killed run, which an idle run
reports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.account import places
from include.housekeeping.generations import reset
from include.launch import run as launcher
from jobs.contract.disk import storage
from jobs.contract.errors import AccountMismatch
from jobs.contract.run import report
from jobs.contract.run.report import Report
from jobs.core import run
from jobs.domain import facturas
from tests.include.housekeeping.homes import Home

pytestmark = pytest.mark.spark


@pytest.fixture
def home(tmp_path: Path, spark: Any) -> Home:
    return Home.at(tmp_path, spark)


def newest(home: Home) -> Report:
    found = report.read(next(report.newest(home.layout.runs(home.name))))
    assert found is not None
    return found


def test_the_files_of_a_run_are_found_before_and_after_they_are_archived(home: Home) -> None:
    home.put("a.json", 1, 2)
    home.put("b.json", 3)
    home.run()
    assert places.check(home.settings, home.stream, newest(home)) == places.Places(2, 2, 0)
    home.archive()
    found = places.check(home.settings, home.stream, newest(home))
    assert found.to_json() == {"files": 2, "en_proceso": 0, "archivo": 2, "error": None, "unchecked": ""}


def test_a_file_that_vanished_after_its_run_is_an_error_that_names_it(home: Home) -> None:
    home.put("a.json", 1)
    home.put("b.json", 2)
    home.run()
    home.archive()
    gone = next(home.layout.archivo(home.name).rglob("*-b.json"))
    gone.unlink()
    found = places.check(home.settings, home.stream, newest(home))
    assert (found.files, found.archivo) == (2, 1)
    assert f"{gone.name} was admitted, but lies neither in en_proceso nor in archivo" in str(found.error)


def test_a_file_taken_in_but_not_read_yet_counts_too(home: Home) -> None:
    home.put("a.json", 1)
    taken = Report(home.name, "r", "done", "2026-11-24T08:00:00+00:00", generation=1, files_admitted=1)
    assert places.check(home.settings, home.stream, taken) == places.Places(1, 1, 0)
    next(home.layout.en_proceso(home.name).glob("*-a.json")).unlink()
    assert places.check(home.settings, home.stream, taken).error


def test_batches_that_a_reset_took_away_meanwhile_are_no_error(home: Home) -> None:
    home.put("a.json", 1)
    home.run()
    home.apply(lambda: reset.plan(home.settings, home.stream, home.now))
    found = places.check(home.settings, home.stream, newest(home))
    assert (found.error, list(found.lines())) == (
        None,
        ["the places of its files were not checked: a published batch without its manifest"],
    )


def test_a_file_that_a_killed_run_took_in_and_that_vanished_before_it_was_planned_is_missed(
    home: Home,
) -> None:
    home.put("a.json", 1)
    home.run()
    home.archive()
    killed = Report(home.name, "29990101T000000000Z-00000001", "running", home.now.isoformat())
    storage.replace(make(home, killed.run_id), killed.to_json())
    home.put("b.json", 2)
    idle = Report(home.name, "29990101T000000000Z-00000002", "idle", home.now.isoformat(), generation=1)
    assert places.check(home.settings, home.stream, idle).error is None
    next(home.layout.en_proceso(home.name).glob("*-b.json")).unlink()
    assert "-b.json was admitted, but lies neither" in str(
        places.check(home.settings, home.stream, idle).error
    )
    storage.replace(make(home, killed.run_id), replace(killed, status="done").to_json())
    assert places.check(home.settings, home.stream, idle) == places.Places()


def make(home: Home, run_id: str) -> Path:
    folder = home.layout.run(home.name, run_id)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "report.json"


def test_an_idle_run_looks_at_nothing(home: Home) -> None:
    idle = Report(home.name, "r", "idle", "2026-11-24T08:00:00+00:00", generation=1)
    assert places.check(home.settings, home.stream, idle) == places.Places()
    assert not home.layout.ledger(home.name).exists()


@pytest.mark.parametrize("whole", [True, False])
def test_an_idle_run_accounts_for_the_batches_of_a_killed_one(home: Home, whole: bool) -> None:
    home.put("a.json", 1, 2)
    made = home.plan()
    run.stream(home.spark, made.spec, home.subject, facturas.lineas)  # and killed before its report
    if not whole:
        part = next(p for p in home.layout.batch(home.name, 1, 0).glob("part-*") if p.stat().st_size)
        part.write_bytes(part.read_bytes()[:-1])
    made, folder = home.plan(), home.layout.run(home.name, "late")
    folder.mkdir(parents=True)
    error = launcher._idle(home.settings, made, folder, home.now)
    if not whole:
        assert isinstance(error, AccountMismatch)
    assert (error.what if error else "") == (
        "" if whole else "batch 0: 2 rows out, 2 in its manifest's files, a plain reader counts 1"
    )
    found = report.read(folder / "report.json")
    assert found is not None
    assert (found.status, found.batches, found.account["rows_read"]) == (
        "idle" if whole else "failed",
        (0,),
        2 if whole else 1,
    )
