"""Finds and tells what a run reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jobs.contract.run import report
from jobs.contract.run.report import Report


def run_names(runs: Path) -> frozenset[str]:
    """Names of the run folders there are now: taken before a run, it tells later which ones are new, whatever the clock did."""
    return frozenset(p.name for p in runs.iterdir()) if runs.is_dir() else frozenset()


def find(runs: Path, before: frozenset[str], airflow_run_id: str) -> Report | None:
    """The newest report of this Airflow run that was not there before; None when the launcher gave up before it wrote one.

    Raises DataError when a new report cannot be read.
    """
    for name in sorted(run_names(runs) - before, reverse=True):
        found = report.read(runs / name / "report.json")
        if found is not None and found.airflow_run_id == airflow_run_id:
            return found
    return None


def plain(found: Report) -> dict[str, Any]:
    """The report as plain JSON values: what XCom and the asset event carry."""
    values: dict[str, Any] = json.loads(found.to_json())
    return values


def summary(found: Report) -> list[str]:
    """What happened, in a few lines for the task log."""
    if found.status == "idle":
        return [f"{found.stream}: nothing was waiting ({found.duration_s:.1f} s)", *_warnings(found)]
    accepted = found.records_in - found.quarantined
    return [
        f"{found.stream}: {found.status} in {found.duration_s:.1f} s, generation {found.generation}, {_batches(found.batches)}",
        f"  files admitted {found.files_admitted:,}, refused {found.files_refused:,}, waiting {found.files_waiting:,}",
        f"  records in {found.records_in:,} = accepted {accepted:,} + quarantined {found.quarantined:,}; rows out {found.rows_out:,}",
        *_recounted(found),
        *_warnings(found),
    ]


def _batches(batches: tuple[int, ...]) -> str:
    if not batches:
        return "no new batch"
    return (
        f"batch {batches[0]}"
        if len(batches) == 1
        else f"{len(batches)} batches, {batches[0]} to {batches[-1]}"
    )


def _recounted(found: Report) -> list[str]:
    """The account's own counts; nothing of a run that published nothing."""
    if not found.account:
        return []
    told, gaps = found.account, found.account["gaps"]
    rows = "" if told["rows_read"] is None else f", {told['rows_read']:,} rows by a plain reader"
    empty = (
        f"; offsets without a record: {', '.join(f'{name} {count:,}' for name, count in gaps.items())}"
        if gaps
        else ""
    )
    return [
        f"  recounted: {told['counted']:,} {'lines at intake' if told['files'] else 'offsets'}{rows}{empty}"
    ]


def _warnings(found: Report) -> list[str]:
    return [f"  warning: {text}" for text in found.warnings]
