"""Finds admitted files that no run reads: they lie in en_proceso, no batch holds them, and a run has ended
since. Read-only, takes no lease."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from include.state import generations, journal
from jobs.contract.disk import ledger
from jobs.contract.disk.layout import Layout
from jobs.contract.disk.ledger import Entry
from jobs.contract.errors import DataError, FilePassedOver
from jobs.contract.run import admitted, report
from jobs.contract.run.report import Report
from jobs.contract.stream import Stream

_RUNS = (
    500  # reports searched at most for a run that has read everything: 42 hours of a run every five minutes
)
_BRING_BACK = "kind IN ('rewind', 'reset', 'undo')"  # after these, files that were read before wait again


def find(layout: Layout, stream: Stream) -> list[Entry]:
    """In order of admission. Files of a run that is under way or was killed are listed only after the
    next run has ended.

    Raises LedgerDamaged, CheckpointDamaged, DataError.
    """
    current = generations.current(layout, stream.name) if stream.folder else None
    # runs may go on meanwhile: read the newest run first, then the folder, then the checkpoint;
    # otherwise a file
    # could look unread
    ended = _ended(layout, stream, current.number) if current else None
    if current is None or ended is None:
        return []
    names = admitted.names(layout, stream.folder)
    left = admitted.unplanned(layout.checkpoint(stream.name, current.number), names)
    if not left:
        return []
    with ledger.reader(layout.ledger(stream.folder)) as db:
        entries = ledger.select(db, "name", left, only=1)
        return [entry for entry in entries if datetime.fromisoformat(entry.admitted_at) <= ended]


def remedy(stream: Stream, entry: Entry) -> str:
    """What to do about such a file, for the command line."""
    if ledger.mended(entry.name) != entry.name:
        return f"./caudal run {stream.name} gives it a name that Spark's listing does not skip, and reads it"
    return FilePassedOver.cli.replace("STREAM", stream.name)


def _ended(layout: Layout, stream: Stream, generation: int) -> datetime | None:
    """When the newest run of this generation ended that had read everything. None if a housekeeping operation
    has put files back since."""
    put_back = journal.operations(layout.journal(stream.name), _BRING_BACK)
    since = max((operation.id for operation in put_back), default="")
    for path in islice(report.newest(layout.runs(stream.name)), _RUNS):
        run = _read(path)
        if run and run.generation == generation and run.run_id > since and _has_read_all(run):
            return datetime.fromisoformat(run.started) + timedelta(seconds=run.duration_s)
    return None


def _read(path: Path) -> Report | None:
    """None for a report that cannot be read: an older one is looked at instead."""
    try:
        return report.read(path)
    except DataError:
        return None


def _has_read_all(run: Report) -> bool:
    """A run that fails or warns because of a passed-over file has read all the others."""
    complaints = [str((run.error or {}).get("code", "")), *run.warnings]
    return run.status in ("done", "idle") or any(c.startswith(FilePassedOver.code) for c in complaints)
