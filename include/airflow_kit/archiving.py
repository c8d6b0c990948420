"""The work of the DAG archive_processed_files: a sweep over the streams that read files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow.sdk import Param

from include import streams
from include.airflow_kit import tables
from include.airflow_kit.params import boolean, choice, integer
from include.housekeeping import sweep
from include.housekeeping.sweep import Outcome
from include.settings import Settings

ALL = "all"
DAY_S = 86_400


def params() -> dict[str, Param]:
    names = sorted(name for name, stream in streams.collect()[0].items() if stream.folder)
    return {
        "stream": choice(
            ALL,
            title="Stream",
            values=[ALL, *names],
            origin="`all`, or a stream that reads files",
            description="Whose processed files to archive.",
        ),
        "dry_run": boolean(False, title="Dry run", description="Only show the plan; nothing is moved."),
        "min_age_s": integer(
            0,
            title="Minimum age in seconds",
            minimum=0,
            maximum=365 * DAY_S,
            description="Only files that were admitted at least this long ago.",
        ),
    }


def archive(settings: Settings, form: Mapping[str, Any], now: datetime) -> list[Outcome]:
    """Archives for each stream in turn, under its lease. Raises UnknownStream for a stream that was removed
    after the form was shown."""
    chosen = (
        [s for s in streams.collect()[0].values() if s.folder]
        if form["stream"] == ALL
        else [streams.get(form["stream"])]
    )
    return [sweep.archived(settings, stream, now, form["min_age_s"], form["dry_run"]) for stream in chosen]


def report(outcomes: list[Outcome], dry_run: bool) -> dict[str, Any]:
    """For XCom and the asset event: counts, bytes, and each stream's plan with its first steps."""
    return {
        "dry_run": dry_run,
        "files": sum(len(outcome.plan.steps) for outcome in outcomes if outcome.plan),
        "bytes": sum(outcome.size_bytes for outcome in outcomes),
        "states": sweep.totals(outcomes),
        "streams": tables.plain(outcomes),
    }


def lines(outcomes: list[Outcome], dry_run: bool) -> list[str]:
    verb = "would be archived; nothing was moved" if dry_run else "archived"
    values = report(outcomes, dry_run)
    return [*tables.outcomes(outcomes), "", f"{values['files']:,} files, {values['bytes']:,} bytes {verb}"]
