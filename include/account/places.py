"""After a run and its archiving, checks that every file it took in or read is in en_proceso or archivo. Files
of earlier runs that failed or were killed are checked, too. Read-only, takes no lease."""

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

_RUNS = 50  # reports looked at, at most, to keep this check cheap; the audit looks at everything
_LOOK_BACK = timedelta(days=1)  # no retention is shorter, so no file of that time has been purged


@dataclass(frozen=True)
class Places:
    """Covers the files of a report. `files` = `en_proceso` + `archivo` + missing ones; `error` names the
    first missing file. `unchecked`: why nothing could be counted: a housekeeping verb came in between, or the
    ledger cannot be read."""

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
        """For the log. Empty when all files were found, or none had to be."""
        if self.unchecked:
            yield f"the places of its files were not checked: {self.unchecked}"


def check(settings: Settings, stream: Stream, done: Report) -> Places:
    """Looks for the files of the report's batches, for the newest it admitted, and for those of earlier runs
    that did not end well: if a file vanishes before it is planned, Spark does not notice. A CaudalError is
    not raised; it is returned in `error` or `unchecked`.

    If there is nothing to look for, it reads one small file. Otherwise it makes a few look-ups per file.
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
    """Start of the oldest run in the unbroken series of failed or killed runs right before `done`; None if
    the run before it ended well."""
    since = None
    for path in islice(report.newest(layout.runs(stream.name)), _RUNS):
        earlier = report.read(path)
        if earlier is None or earlier.run_id >= done.run_id:
            continue
        started = datetime.fromisoformat(earlier.started)
        too_old = started < datetime.fromisoformat(done.started) - _LOOK_BACK
        if earlier.status in ("done", "idle") or too_old:
            break
        since = started
    return since


def _covered(layout: Layout, stream: Stream, done: Report, since: datetime | None) -> list[Entry]:
    names = set(_read(layout, stream, done))
    with ledger.reader(layout.ledger(stream.folder)) as db:
        entries = [*ledger.newest(db, done.files_admitted), *ledger.select(db, "name", names)]
        if since:
            entries += ledger.since(db, since.astimezone(UTC).isoformat(timespec="milliseconds"))
    by_name = {entry.name: entry for entry in entries}
    if unknown := sorted(names - by_name.keys()):
        what = f"{len(unknown)} files were read that the intake ledger does not know, first {unknown[0]}"
        raise AccountMismatch(what, stream.name)
    return list(by_name.values())


def _read(layout: Layout, stream: Stream, done: Report) -> Iterator[str]:
    """Names of the files of the report's batches."""
    if not done.batches:
        return
    first, last = (
        manifest.read(layout.batch(stream.name, done.generation, batch))
        for batch in (done.batches[0], done.batches[-1])
    )
    path = layout.checkpoint(stream.name, done.generation)
    # only the first and last manifest are read: the batches of a report follow each other without a gap
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
        elif storage.is_regular(place):  # a housekeeping verb has put it back since the first look
            waiting += 1
        else:
            gone.append(entry)
    gone = _not_retired(layout, stream, gone) if gone else gone
    error = _missing(layout, stream, gone) if gone else None
    return Places(waiting + stored + len(gone), waiting, stored, error)


def _not_retired(layout: Layout, stream: Stream, gone: list[Entry]) -> list[Entry]:
    """Those that no reset, rewind or retirement has moved to retirado. A reset retires a file that holds a
    redelivered record: it delivers that record again itself."""
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
