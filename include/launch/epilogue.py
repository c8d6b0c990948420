"""What follows every run, under Airflow and on the command line alike: find its report, archive what it has
read, and look for its files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from include.account import places
from include.account.places import Places
from include.housekeeping.files import after_run
from include.housekeeping.files.after_run import Tidied
from include.launch import ended
from include.settings import Settings
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import CaudalError, ExitCode
from jobs.contract.run import report
from jobs.contract.run.report import Report
from jobs.contract.stream import Stream


def run_names(runs: Path) -> frozenset[str]:
    """Names of the run folders that exist. Taken before a run, they show afterwards which folders are new,
    even when the clock was set back."""
    return frozenset(p.name for p in runs.iterdir()) if runs.is_dir() else frozenset()


def find_report(runs: Path, before: frozenset[str], airflow_run_id: str) -> Report | None:
    """The newest report that was not there `before` and belongs to this Airflow run ("" on the command line).
    None when the launcher gave up before it wrote one.

    Raises DataError when a new report cannot be read.
    """
    for name in sorted(run_names(runs) - before, reverse=True):
        found = report.read(runs / name / "report.json")
        if found is not None and found.airflow_run_id == airflow_run_id:
            return found
    return None


def final_report(
    layout: Layout, stream: str, before: frozenset[str], airflow_run_id: str, end: ended.End
) -> Report | None:
    """The report of the run that ended as `end`, as `find_report`. If its driver died and left it at
    `running`, it is finished first; it stays at `running` if another run is under way by now, which then
    finishes it.

    Raises DataError.
    """
    if end.exit_code == ExitCode.HELD:
        return None  # this run never held the lease, so a new report is that of the run which does
    found = find_report(layout.runs(stream), before, airflow_run_id)
    if found is None or found.status != "running":
        return found
    return ended.finish(layout, stream, found.run_id, end) or found


@dataclass(frozen=True)
class Epilogue:
    """`error`: what the caller raises after it has reported the rest; nothing is lost by it."""

    archived: Tidied = field(default_factory=Tidied)
    places: Places = field(default_factory=Places)

    @property
    def error(self) -> CaudalError | None:
        return self.archived.error or self.places.error

    def lines(self) -> Iterator[str]:
        """For the log: what was archived, what stays, and what could not be checked."""
        yield from self.archived.lines()
        yield from self.places.lines()

    def values(self) -> dict[str, Any]:
        """Plain values that are added to the report's: for `--json`, XCom and the asset event."""
        return {"archive": self.archived.to_json(), "files": self.places.to_json()}


def conclude(settings: Settings, stream: Stream, done: Report | None, now: datetime) -> Epilogue:
    """Archives what is committed, then checks that each file of the run's report lies in en_proceso or
    archivo. Call it only after a run that ended well. Never raises a CaudalError: the result has it."""
    archived = after_run.tidy(settings, stream, now)  # first: the check looks where the files come to rest
    return Epilogue(archived, places.check(settings, stream, done) if done else Places())
