"""What the DAG archive_processed_files does: a sweep over the streams that read files."""

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
            title="Least age in seconds",
            minimum=0,
            maximum=365 * DAY_S,
            description="Only files that were admitted at least so long ago.",
        ),
    }


def archive(settings: Settings, form: Mapping[str, Any], now: datetime) -> list[Outcome]:
    """Each stream in turn, under its lease. Raises UnknownStream for one that went away since the form was shown."""
    chosen = (
        [s for s in streams.collect()[0].values() if s.folder]
        if form["stream"] == ALL
        else [streams.get(form["stream"])]
    )
    return [sweep.archived(settings, stream, now, form["min_age_s"], form["dry_run"]) for stream in chosen]


def report(found: list[Outcome], dry_run: bool) -> dict[str, Any]:
    """For XCom and the asset event: counts, bytes, and each stream's plan with its first steps."""
    files = sum(len(one.plan.steps) for one in found if one.plan)
    size = sum(one.size_bytes for one in found)
    return {
        "dry_run": dry_run,
        "files": files,
        "bytes": size,
        "states": sweep.totals(found),
        "streams": tables.plain(found),
    }


def lines(found: list[Outcome], dry_run: bool) -> list[str]:
    verb = "would be archived; nothing was moved" if dry_run else "archived"
    values = report(found, dry_run)
    return [*tables.outcomes(found), "", f"{values['files']:,} files, {values['bytes']:,} bytes {verb}"]
