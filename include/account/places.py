"""Right after a run and its archiving: every file that the run took in or read, or that a killed run before it took in, lies in en_proceso or
archivo. Reads only, takes no lease."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from include.settings import Settings
from include.state import archived, journal
from jobs.contract.commit import checkpoint, manifest
from jobs.contract.disk import ledger, storage
from jobs.contract.disk.layout import Layout
from jobs.contract.disk.ledger import Entry
from jobs.contract.errors import AccountMismatch, CaudalError
from jobs.contract.run import report
from jobs.contract.run.report import Report
from jobs.contract.stream import Stream

_RUNS = 50  # looked back over at most; the audit looks at all
_LOOK_BACK = timedelta(days=1)  # no retention is shorter


@dataclass(frozen=True)
class Places:
    """Of the files a report covers: `files` = `en_proceso` + `archivo`, or `error` names the first that is in neither. `unchecked`: why nothing
    could be counted: a housekeeping verb came in between, the ledger cannot be read."""

    files: int = 0
    en_proceso: int = 0
    archivo: int = 0
    error: AccountMismatch | None = None
    unchecked: str = ""

    def to_json(self) -> dict[str, Any]:
        error = self.error.to_json() if self.error else None
        return {
            "files": self.files,
            "en_proceso": self.en_proceso,
            "archivo": self.archivo,
            "error": error,
            "unchecked": self.unchecked,
        }

    def lines(self) -> Iterator[str]:
        """For the log; nothing when all files were found, or none had to be."""
        if self.unchecked:
            yield f"where its files are was not checked: {self.unchecked}"


def check(settings: Settings, stream: Stream, done: Report) -> Places:
    """Looks for the files of the report's batches, for the newest it admitted, and for those of the runs before it that did not end well: Spark
    would never miss one that vanished before it was planned. Never raises a CaudalError: it is in the answer.

    Costs one small file for a run that took in and read nothing after one that ended well; else a few look-ups a file.
    """
    if not stream.folder:
        return Places()
    try:
        since = _unsettled_since(settings.layout, stream, done)
        if not (done.batches or done.files_admitted or since):
            return Places()
        return _counted(settings.layout, stream, _covered(settings.layout, stream, done, since))
    except AccountMismatch as error:
        return Places(error=error)
    except CaudalError as error:
        return Places(unchecked=error.what)


def _unsettled_since(layout: Layout, stream: Stream, done: Report) -> datetime | None:
    """When the first of the runs before `done` began that were killed or failed, one after the other; None when the run before it ended well."""
    since = None
    for path in islice(report.newest(layout.runs(stream.name)), _RUNS):
        found = report.read(path)
        if found is None or found.run_id >= done.run_id:
            continue
        started = datetime.fromisoformat(found.started)
        if found.status in ("done", "idle") or started < datetime.fromisoformat(done.started) - _LOOK_BACK:
            break
        since = started
    return since


def _covered(layout: Layout, stream: Stream, done: Report, since: datetime | None) -> list[Entry]:
    names = set(_read(layout, stream, done))
    with ledger.reader(layout.ledger(stream.folder)) as db:
        found = {
            entry.name: entry
            for entry in (*ledger.newest(db, done.files_admitted), *ledger.select(db, "name", names))
        }
        found |= {
            entry.name: entry
            for entry in (
                ledger.since(db, since.astimezone(UTC).isoformat(timespec="milliseconds")) if since else ()
            )
        }
    if strange := sorted(names - found.keys()):
        raise AccountMismatch(
            f"{len(strange)} files were read that the intake ledger does not know, {strange[0]} the first",
            stream.name,
        )
    return list(found.values())


def _read(layout: Layout, stream: Stream, done: Report) -> Iterator[str]:
    """Names of the files of the report's batches."""
    if not done.batches:
        return
    first, last = (
        manifest.read(layout.batch(stream.name, done.generation, batch))
        for batch in (done.batches[0], done.batches[-1])
    )
    path = layout.checkpoint(stream.name, done.generation)
    span = int(first.start.get("logOffset", -1)), int(last.end.get("logOffset", -1))
    yield from (entry.name for entry in checkpoint.planned_entries(path, *span))


def _counted(layout: Layout, stream: Stream, entries: list[Entry]) -> Places:
    waiting = stored = 0
    gone: list[Entry] = []
    for entry in entries:
        place = layout.en_proceso(stream.folder) / entry.name
        if storage.is_regular(place):
            waiting += 1
        elif archived.locate(layout, stream.name, stream.folder, entry):
            stored += 1
        elif storage.is_regular(place):  # brought back in between
            waiting += 1
        else:
            gone.append(entry)
    gone = _not_retired(layout, stream, gone) if gone else gone
    error = _missing(layout, stream, gone) if gone else None
    return Places(waiting + stored + len(gone), waiting, stored, error)


def _not_retired(layout: Layout, stream: Stream, gone: list[Entry]) -> list[Entry]:
    """Those that no reset has moved to retirado: it retires the copy of a record that it gives back itself."""
    source, target = (
        path.relative_to(layout.home)
        for path in (layout.en_proceso(stream.folder), layout.retired(stream.name))
    )
    where = "undone_by = '' AND source LIKE ? AND target LIKE ?"
    moved = journal.moves(
        layout.journal(stream.name), ("reset", "retire", "rewind"), where, (f"{source}/%", f"{target}/%")
    )
    retired = {step.source.rpartition("/")[2] for _, step in moved}
    return [entry for entry in gone if entry.name not in retired]


def _missing(layout: Layout, stream: Stream, gone: list[Entry]) -> AccountMismatch:
    more = f" (and {len(gone) - 1} more)" if len(gone) > 1 else ""
    what = f"{gone[0].name} was admitted, but lies neither in en_proceso nor in archivo{more}"
    error = AccountMismatch(what, layout.archivo(stream.folder))
    error.name_stream(stream.name)
    return error
