"""The work of the DAG clean_checkpoints, and its report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow.sdk import Param

from include.airflow_kit import tables
from include.airflow_kit.params import boolean, integer
from include.housekeeping import cleaning, sweep
from include.housekeeping.sweep import Outcome
from include.settings import Settings


def params() -> dict[str, Param]:
    return {
        "dry_run": boolean(
            False, title="Dry run", description="Only show what would be done; nothing is changed."
        ),
        "grace_days": integer(
            7,
            title="Grace in days",
            minimum=1,
            maximum=365,
            description="If a stream is no longer registered, its checkpoints stay this long, in case it "
            "comes back.",
        ),
    }


def clean(settings: Settings, form: Mapping[str, Any], now: datetime) -> list[Outcome]:
    return list(cleaning.clean(settings, now, form["grace_days"], form["dry_run"]))


def report(outcomes: list[Outcome], dry_run: bool) -> dict[str, Any]:
    """For XCom and the asset event. `bytes_freed` counts what is deleted for good."""
    return {
        "dry_run": dry_run,
        "bytes_freed": cleaning.freed_bytes(outcomes),
        "states": sweep.totals(outcomes),
        "work": tables.plain(outcomes),
    }


def lines(outcomes: list[Outcome], dry_run: bool) -> list[str]:
    freed = f"{cleaning.freed_bytes(outcomes):,} bytes freed"
    return [*tables.outcomes(outcomes), "", f"dry run: nothing was changed, {freed}" if dry_run else freed]
