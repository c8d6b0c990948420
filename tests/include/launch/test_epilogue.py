"""Which report belongs to a run, and what follows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from include.account.places import Places
from include.housekeeping.files.after_run import Tidied
from include.launch import epilogue
from include.launch.ended import End
from include.launch.epilogue import Epilogue
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import AccountMismatch, DataError, ExitCode
from jobs.contract.run.report import Report

DONE = Report(
    stream="f",
    run_id="20261123T100000000Z-00000001",
    status="done",
    started="2026-11-23T10:00:00+00:00",
    airflow_run_id="manual__1",
)


def write(runs: Path, report: Report) -> None:
    folder = runs / report.run_id
    folder.mkdir(parents=True)
    (folder / "report.json").write_bytes(report.to_json())


def test_the_newest_new_report_of_this_airflow_run_is_taken(tmp_path: Path) -> None:
    write(tmp_path, DONE)
    before = epilogue.run_names(tmp_path)
    second = replace(DONE, run_id="20261123T100500000Z-00000001")
    third = replace(DONE, run_id="20261123T101000000Z-00000001")
    by_hand = replace(DONE, run_id="20261123T101500000Z-00000001", airflow_run_id="")
    for report in (second, third, by_hand):
        write(tmp_path, report)
    (tmp_path / "20261123T102000000Z-00000001").mkdir()  # a launcher that died before its first report
    assert epilogue.find_report(tmp_path, before, "manual__1") == third


def test_the_report_of_an_earlier_try_is_not_taken_for_this_one_s(tmp_path: Path) -> None:
    write(tmp_path, DONE)
    assert epilogue.find_report(tmp_path, epilogue.run_names(tmp_path), "manual__1") is None


def test_a_report_is_found_also_when_the_clock_was_set_back(tmp_path: Path) -> None:
    write(tmp_path, DONE)
    before = epilogue.run_names(tmp_path)
    earlier = replace(DONE, run_id="20261123T090000000Z-00000001")
    write(tmp_path, earlier)
    assert epilogue.find_report(tmp_path, before, "manual__1") == earlier


def test_no_run_ever_is_no_report(tmp_path: Path) -> None:
    assert epilogue.run_names(tmp_path / "runs") == frozenset()
    assert epilogue.find_report(tmp_path / "runs", frozenset(), "manual__1") is None


def test_a_half_written_report_is_an_error_and_not_silence(tmp_path: Path) -> None:
    write(tmp_path, DONE)
    (tmp_path / DONE.run_id / "report.json").write_bytes(DONE.to_json()[:-20])
    with pytest.raises(DataError, match="unreadable report"):
        epilogue.find_report(tmp_path, frozenset(), "manual__1")


def test_a_run_that_never_held_the_lease_has_no_report_of_its_own(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    write(layout.runs("f"), replace(DONE, airflow_run_id=""))
    held, done = End(int(ExitCode.HELD)), End(int(ExitCode.DONE))
    assert epilogue.final_report(layout, "f", frozenset(), "", held) is None
    assert epilogue.final_report(layout, "f", frozenset(), "", done) == replace(DONE, airflow_run_id="")


def test_what_archiving_refuses_comes_before_what_the_look_for_files_finds() -> None:
    refused, lost = DataError("a", "b"), AccountMismatch("c", "d")
    assert Epilogue(Tidied(error=refused), Places(error=lost)).error is refused
    assert Epilogue(Tidied(), Places(error=lost)).error is lost
    assert Epilogue().error is None
    assert list(Epilogue().values()) == ["archive", "files"]
