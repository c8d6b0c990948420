"""`report.json`: written whole, read whole, and anything else is refused by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract.errors import DataError, PairingBroken
from jobs.contract.run import report
from jobs.contract.run.report import Report

COUNTS = st.integers(0, 2**60)
JSON = st.recursive(
    st.none() | st.booleans() | COUNTS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)
REPORTS = st.builds(
    Report,
    stream=st.text(),
    run_id=st.text(),
    status=st.sampled_from(["running", "done", "idle", "failed", "died"]),
    started=st.text(),
    batches=st.lists(COUNTS, max_size=4).map(tuple),
    last_batch=st.integers(-1, 2**40),
    error=st.none() | st.dictionaries(st.text(), JSON, max_size=3),
    warnings=st.lists(st.text(), max_size=3).map(tuple),
    records_in=COUNTS,
    duration_s=st.floats(0, 1e9),
    version=st.just(1),
)
ONE = Report("s", "r", "running", "2026-11-23T20:15:00Z")


@given(REPORTS)
def test_what_is_written_is_read_back(one: Report) -> None:
    assert Report.from_json(one.to_json()) == one


def test_an_error_about_a_name_that_is_no_utf8_is_written_and_read_back() -> None:
    error = PairingBroken("it contradicts itself", "mal\udcff").to_json()
    failed = replace(ONE, status="failed", error=error)
    assert Report.from_json(failed.to_json()) == failed
    assert error["exit_code"] == 65


def changed(**values: Any) -> bytes:
    return json.dumps({**json.loads(ONE.to_json()), **values}).encode()


def test_a_field_of_a_later_caudal_is_passed_over() -> None:
    assert Report.from_json(changed(besides=[1])) == ONE


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"{}",
        changed(version=2),
        changed(status="well"),
        changed(status=None),
        changed(status=[]),
    ],
)
def test_what_is_no_report_is_refused_with_its_place(data: bytes) -> None:
    with pytest.raises(DataError) as caught:
        Report.from_json(data, "/home/x/report.json")
    assert caught.value.where == "/home/x/report.json"


def test_reports_are_found_newest_first(tmp_path: Path) -> None:
    for run in ("20261123T201500123Z-a", "20261123T201500124Z-b", "20251231T000000000Z-c", "empty"):
        (tmp_path / run).mkdir()
        if run != "empty":
            (tmp_path / run / "report.json").write_bytes(replace(ONE, run_id=run).to_json())
    (tmp_path / "stray").write_text("x")
    assert [p.parent.name[-1] for p in report.newest(tmp_path)] == ["b", "a", "c"]
    assert [found.run_id[-1] for p in report.newest(tmp_path) if (found := report.read(p))] == ["b", "a", "c"]


def test_no_run_and_no_report_are_no_error(tmp_path: Path) -> None:
    assert list(report.newest(tmp_path / "none")) == []
    assert report.read(tmp_path / "report.json") is None
