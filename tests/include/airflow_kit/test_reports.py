"""What the task log says of a run."""

from __future__ import annotations

from dataclasses import replace

from include.airflow_kit import reports
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
