"""Which report belongs to a try, and what the log says of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from include.airflow_kit import reports
from jobs.contract.errors import DataError
from jobs.contract.run.report import Report

DONE = Report(
    stream="f",
    run_id="20261123T100000000Z-00000001",
    status="done",
    started="2026-11-23T10:00:00+00:00",
    airflow_run_id="manual__1",
    generation=2,
    batches=(3, 4, 5),
    files_admitted=2,
    files_refused=1,
    records_in=1000,
    rows_out=3412,
    quarantined=4,
    duration_s=4.94,
)


def write(runs: Path, report: Report) -> None:
    folder = runs / report.run_id
    folder.mkdir(parents=True)
    (folder / "report.json").write_bytes(report.to_json())


def test_the_newest_new_report_of_this_airflow_run_is_taken(tmp_path: Path) -> None:
    write(tmp_path, DONE)
    before = reports.run_names(tmp_path)
    second = replace(DONE, run_id="20261123T100500000Z-00000001")
    third = replace(DONE, run_id="20261123T101000000Z-00000001")
    by_hand = replace(DONE, run_id="20261123T101500000Z-00000001", airflow_run_id="")
    for report in (second, third, by_hand):
        write(tmp_path, report)
    (tmp_path / "20261123T102000000Z-00000001").mkdir()  # a launcher that died before its first report
    assert reports.find(tmp_path, before, "manual__1") == third


def test_the_report_of_an_earlier_try_is_not_taken_for_this_one_s(tmp_path: Path) -> None:
    write(tmp_path, DONE)
    assert reports.find(tmp_path, reports.run_names(tmp_path), "manual__1") is None


def test_a_report_is_found_also_when_the_clock_was_set_back(tmp_path: Path) -> None:
    write(tmp_path, DONE)
    before = reports.run_names(tmp_path)
    earlier = replace(DONE, run_id="20261123T090000000Z-00000001")
    write(tmp_path, earlier)
    assert reports.find(tmp_path, before, "manual__1") == earlier


def test_no_run_ever_is_no_report(tmp_path: Path) -> None:
    assert reports.run_names(tmp_path / "runs") == frozenset()
    assert reports.find(tmp_path / "runs", frozenset(), "manual__1") is None


def test_a_half_written_report_is_an_error_and_not_silence(tmp_path: Path) -> None:
    write(tmp_path, DONE)
    (tmp_path / DONE.run_id / "report.json").write_bytes(DONE.to_json()[:-20])
    with pytest.raises(DataError, match="unreadable report"):
        reports.find(tmp_path, frozenset(), "manual__1")


def test_the_summary_says_what_went_in_and_what_came_out() -> None:
    assert reports.summary(replace(DONE, warnings=("late: 3",))) == [
        "f: done in 4.9 s, generation 2, 3 batches, 3 to 5",
        "  files admitted 2, refused 1, waiting 0",
        "  records in 1,000 = accepted 996 + quarantined 4; rows out 3,412",
        "  warning: late: 3",
    ]


def test_the_summary_tells_what_was_recounted() -> None:
    files = {"files": 2, "counted": 1000, "rows_read": 3412, "gaps": {}}
    topic = {"files": 0, "counted": 1003, "rows_read": None, "gaps": {"facturas/0": 3}}
    said = [reports.summary(replace(DONE, account=account))[3] for account in (files, topic)]
    assert said == [
        "  recounted: 1,000 lines at intake, 3,412 rows by a plain reader",
        "  recounted: 1,003 offsets; offsets without a record: facturas/0 3",
    ]


def test_the_summary_of_a_run_with_nothing_waiting_is_one_line() -> None:
    assert reports.summary(replace(DONE, status="idle", duration_s=0.31)) == [
        "f: nothing was waiting (0.3 s)"
    ]


def test_plain_values_are_what_json_can_carry() -> None:
    values = reports.plain(DONE)
    assert values["batches"] == [3, 4, 5]
    assert values["error"] is None
    assert Report.from_json(DONE.to_json()) == DONE
