"""Admitted files that the runs have passed over: they lie in en_proceso, no batch holds them, and a run has ended
since. Reads only, takes no lease."""

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

_RUNS = 500  # looked back over at most, for one that has read to its end
_BRING_BACK = "kind IN ('rewind', 'reset', 'undo')"  # files that were read once wait again after these


def find(layout: Layout, stream: Stream) -> list[Entry]:
    """In order of admission. A file of a run that is under way or was killed is none of them before the next has ended.

    Raises LedgerDamaged, CheckpointDamaged, DataError.
    """
    current = generations.current(layout, stream.name) if stream.folder else None
    # before the folder is listed, and the checkpoint last: runs may go on
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


def way(stream: Stream, entry: Entry) -> str:
    """What to do about one of them."""
    if ledger.mended(entry.name) != entry.name:
        return f"./caudal run {stream.name} gives it a name that Spark's listing does not skip, and reads it"
    return FilePassedOver.cli.replace("STREAM", stream.name)


def _ended(layout: Layout, stream: Stream, generation: int) -> datetime | None:
    """When the newest run of this generation ended that had read all there was; None for one before files came back."""
    brought = journal.operations(layout.journal(stream.name), _BRING_BACK)
    since = max((operation.id for operation in brought), default="")
    for path in islice(report.newest(layout.runs(stream.name)), _RUNS):
        found = _read(path)
        if found and found.generation == generation and found.run_id > since and _has_read_all(found):
            return datetime.fromisoformat(found.started) + timedelta(seconds=found.duration_s)
    return None


def _read(path: Path) -> Report | None:
    """None for one that cannot be read: another one tells."""
    try:
        return report.read(path)
    except DataError:
        return None


def _has_read_all(found: Report) -> bool:
    told = [str((found.error or {}).get("code", "")), *found.warnings]
    return found.status in ("done", "idle") or any(word.startswith(FilePassedOver.code) for word in told)
