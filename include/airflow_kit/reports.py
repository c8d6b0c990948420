"""A run's report for Airflow: as values for XCom, and as lines for the task log."""

from __future__ import annotations

import json
from typing import Any

from jobs.contract.run.report import Report


def plain(done: Report) -> dict[str, Any]:
    """The report as plain JSON values, for XCom and the asset event."""
    values: dict[str, Any] = json.loads(done.to_json())
    return values


def summary(done: Report) -> list[str]:
    """What happened, in a few lines for the task log."""
    if done.status == "idle":
        return [f"{done.stream}: nothing was waiting ({done.duration_s:.1f} s)", *_warnings(done)]
    accepted = done.records_in - done.quarantined
    return [
        f"{done.stream}: {done.status} in {done.duration_s:.1f} s, generation {done.generation}, "
        f"{_batches(done.batches)}",
        f"  files admitted {done.files_admitted:,}, refused {done.files_refused:,}, "
        f"waiting {done.files_waiting:,}",
        f"  records in {done.records_in:,} = accepted {accepted:,} + quarantined {done.quarantined:,}; "
        f"rows out {done.rows_out:,}",
        *_recounted(done),
        *_warnings(done),
    ]


def _batches(batches: tuple[int, ...]) -> str:
    if not batches:
        return "no new batch"
    return (
        f"batch {batches[0]}"
        if len(batches) == 1
        else f"{len(batches)} batches, {batches[0]} to {batches[-1]}"
    )


def _recounted(done: Report) -> list[str]:
    """What the account has counted again; no line when the run published nothing."""
    if not done.account:
        return []
    account = done.account
    line = f"  recounted: {account['counted']:,} {'lines at intake' if account['files'] else 'offsets'}"
    if account["rows_read"] is not None:
        line += f", {account['rows_read']:,} rows by a plain reader"
    if account["gaps"]:
        gaps = ", ".join(f"{partition} {count:,}" for partition, count in account["gaps"].items())
        line += f"; offsets without a record: {gaps}"
    return [line]


def _warnings(done: Report) -> list[str]:
    return [f"  warning: {text}" for text in done.warnings]
