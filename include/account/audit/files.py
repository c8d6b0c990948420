"""Audits what was delivered: reads every admitted file again, from archivo and en_proceso, with a plain
reader, and compares it with the ledger."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from include.account.audit.findings import Case
from include.state import archived, journal
from jobs.contract.disk import ledger, storage
from jobs.contract.disk.layout import Layout
from jobs.contract.disk.ledger import Entry
from jobs.contract.stream import Files, Source
from jobs.contract.text import csv_records, lines

_CHUNK_BYTES = 1024 * 1024  # a delivered file may be larger than the memory
_EVERY = 200  # files between two lines of progress


@dataclass(frozen=True)
class Delivered:
    """`entries`: the whole ledger by admitted name; `stored`: names in archivo."""

    entries: Mapping[str, Entry]
    stored: frozenset[str]

    def records(self, name: str) -> int | None:
        """As counted at intake; None for a file that the ledger does not know. `audit` has compared the
        counts with the files."""
        return self.entries[name].records if name in self.entries else None


@dataclass(frozen=True)
class _Gone:
    """What the journal says of files that are no longer there. `purged`: paths. `retired`: admitted names."""

    purged: frozenset[str]
    retired: frozenset[str]


def audit(case: Case) -> Delivered:
    """Reads every admitted file of the audited time; counts a purged one as purged. Raises LedgerDamaged."""
    layout, folder = case.layout, case.stream.folder
    stored = _stored(layout, folder)
    if not layout.ledger(folder).is_file() and not (stored or _waiting(layout, folder)):
        return Delivered({}, frozenset())
    with ledger.reader(layout.ledger(folder)) as db:
        entries = {entry.name: entry for entry in ledger.finished(db)}
    gone = _Gone(_purged(layout, case.name), _retired(layout, case.name, folder))
    since = case.since
    asked = [e for e in entries.values() if not since or datetime.fromisoformat(e.admitted_at) >= since]
    for number, entry in enumerate(asked):
        if number % _EVERY == 0:
            case.tell(f"delivered file {number + 1:,} of {len(asked):,}")
        _file(case, entry, stored, gone)
    remedy = "nobody but Caudal puts files there: move it to entrada to have it read"
    for path in _strangers(case, entries, stored):
        case.differ(path, "the intake ledger does not know it", remedy)
    _refused(case)
    return Delivered(entries, frozenset(stored))


def _file(case: Case, entry: Entry, stored: Mapping[str, str], gone: _Gone) -> None:
    here = case.layout.en_proceso(case.stream.folder) / entry.name
    path = _find(case, entry, here, stored)
    if path:
        if path == here and entry.name in stored:
            cut = f"./caudal run {case.name} finishes a move that was cut short"
            case.differ(here, "lies in archivo, too", f"{cut}; else remove one of the two")
        _compare(case, path, entry)
    elif entry.name in gone.retired:
        case.count("files retired")
    elif _is_purged(case.layout, case.stream.folder, entry, gone.purged):
        case.count("files purged")
    else:
        lost = f"without it {case.name} cannot be reset, and its batch cannot be rewound"
        case.differ(
            archived.target(case.layout, case.stream.folder, entry),
            "admitted, but neither in archivo nor in en_proceso",
            f"bring it back there from a backup; {lost}",
        )


def _find(case: Case, entry: Entry, here: Path, stored: Mapping[str, str]) -> Path | None:
    """The file in en_proceso or archivo. A run may have archived it, or a verb may have put it back, since
    archivo was listed: so both are looked at once more."""
    if storage.is_regular(here):
        return here
    if entry.name in stored and storage.is_regular(Path(stored[entry.name])):
        return Path(stored[entry.name])
    moved = archived.locate(case.layout, case.name, case.stream.folder, entry)
    return moved or (here if storage.is_regular(here) else None)


def _compare(case: Case, path: Path, entry: Entry) -> None:
    """Compares size, sha256 and records of a file with its row in the ledger."""
    case.count("files read")
    remedy = "put it back as it was delivered, from a backup; the published rows are those of the old content"
    try:
        size, sha256, records = _measure(path, case.stream.source)
    except lines.UNREADABLE as error:
        case.differ(path, f"cannot be read: {error}", remedy)
        return
    case.count("lines", records)
    if (size, sha256) != (entry.size_bytes, entry.content_hash):
        sizes = f"{size} bytes and {records} lines now, {entry.size_bytes} and {entry.records} at intake"
        case.differ(path, f"changed since intake: {sizes}", remedy)
    elif records != entry.records and not _was_counted_otherwise(case, path, entry):
        what = f"{records} lines, but {entry.records} in the intake ledger"
        books = case.layout.ledger(case.stream.folder)
        case.differ(path, what, f"move {books} aside: the next run rebuilds it from the files")


def _was_counted_otherwise(case: Case, path: Path, entry: Entry) -> bool:
    """Whether an archived csv was admitted and published before its row's `multiline` was changed. Then its
    old count is right."""
    source, here = case.stream.source, case.layout.en_proceso(case.stream.folder)
    if not isinstance(source, Files) or source.format != "csv" or path.parent == here:
        return False
    otherwise = csv_records.read(path, replace(source, multiline=not source.multiline))
    return sum(1 for _ in otherwise) == entry.records


def _measure(path: Path, source: Source) -> tuple[int, str, int]:
    """(bytes, sha256, records) of a delivered file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as data:
        while chunk := data.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    assert isinstance(source, Files)  # noqa: S101 - only a stream of files has some to be audited
    return size, digest.hexdigest(), sum(1 for _ in csv_records.read(path, source))


def _stored(layout: Layout, folder: str) -> dict[str, str]:
    """Admitted name -> path in archivo."""
    return {
        name: f"{parent}/{name}" for parent, _, names in os.walk(layout.archivo(folder)) for name in names
    }


def _purged(layout: Layout, stream: str) -> frozenset[str]:
    """Paths that purges have removed: files and day folders."""
    path = layout.journal(stream)
    done = journal.operations(path, "kind = 'purge' AND finished IS NOT NULL")
    return frozenset(step.source for operation in done for step in journal.steps(path, operation.id))


def _retired(layout: Layout, stream: str, folder: str) -> frozenset[str]:
    """Names that a verb has moved from en_proceso to retirado."""
    source, target = (
        path.relative_to(layout.home) for path in (layout.en_proceso(folder), layout.retired(stream))
    )
    where = "undone_by = '' AND source LIKE ? AND target LIKE ?"
    paths = (f"{source}/%", f"{target}/%")
    moved = journal.moves(layout.journal(stream), ("reset", "retire", "rewind"), where, paths)
    return frozenset(step.source.rpartition("/")[2] for _, step in moved)


def _is_purged(layout: Layout, folder: str, entry: Entry, purged: frozenset[str]) -> bool:
    path = archived.target(layout, folder, entry).relative_to(layout.home)
    return str(path) in purged or str(path.parent) in purged


def _strangers(case: Case, entries: Mapping[str, Entry], stored: Mapping[str, str]) -> list[str]:
    """Files that nobody admitted: in archivo, or under an admitted name in en_proceso. The ledger is read
    again, because intake may have gone on; the next run deals with a file whose row is not finished."""
    layout, folder = case.layout, case.stream.folder
    paths = {name: str(layout.en_proceso(folder) / name) for name in _waiting(layout, folder)} | dict(stored)
    unknown = sorted(paths.keys() - entries.keys())
    with ledger.reader(layout.ledger(folder)) as db:
        known = {entry.name for entry in ledger.select(db, "name", unknown)}
    return [paths[name] for name in unknown if name not in known]


def _waiting(layout: Layout, folder: str) -> list[str]:
    """Admitted names in en_proceso."""
    here = layout.en_proceso(folder)
    return [path.name for path in here.iterdir() if ledger.parse_name(path.name)] if here.is_dir() else []


def _refused(case: Case) -> None:
    folder = case.layout.refused_files(case.stream.folder)
    paths = folder.iterdir() if folder.is_dir() else ()
    files = [p for p in paths if p.is_file() and not p.name.endswith(".reason.json")]
    case.count("files refused", len(files))
