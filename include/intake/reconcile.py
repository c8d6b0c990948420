"""Reconciles the ledger with the files in en_proceso, before anything new is admitted.

It finishes unfinished rows, and rebuilds a lost ledger, or its lost end, from the files' names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection

from include.intake import counting
from include.intake.types import Busy, Room, shown
from jobs.contract.disk import ledger, storage
from jobs.contract.disk.ledger import Entry
from jobs.contract.errors import DataError, LedgerDamaged

NS = 1_000_000_000


def reconcile(room: Room, db: Connection) -> None:
    """Gives every visible file a finished row; if the ledger is new, every archived file, too.

    Raises DataError for a visible file that intake did not put there, and LedgerDamaged for one whose content
    does not match its name.
    """
    visible = _mended(_visible(room.layout.en_proceso(room.folder)))
    new = ledger.is_new(db)
    known = set() if new else _known(db, visible)
    half = [] if new else list(ledger.select(db, "name", visible, only=0))
    lost = [path for name, path in visible.items() if name not in known]
    if new:
        lost += [path for path in _archived(room.layout.archivo(room.folder)) if path.name not in visible]
    if half or lost:  # a kill may have come between rename and flush, and no row may outlive its file's name
        storage.fsync_dir(room.layout.en_proceso(room.folder))
    if new or half or lost:
        _write(room, db, new, [_rebuilt(path, room.multiline) for path in lost], half)
    if new:
        storage.fsync_dir(room.layout.ledger(room.folder).parent)
    room.admitted += half


def _known(db: Connection, visible: dict[str, Path]) -> set[str]:
    """Names that have a row in the ledger. Rows of mended names are renamed first, like their files."""
    known = {e.name for e in ledger.select(db, "name", visible)}
    if not (unknown := visible.keys() - known):
        return known
    with ledger.transaction(db):
        ledger.mend(db, unknown)
    return known | {e.name for e in ledger.select(db, "name", unknown)}


def _mended(visible: dict[str, Path]) -> dict[str, Path]:
    """Renames files that an earlier version admitted under names that Spark's listing skips. Their rows
    follow in `_known`."""
    names = {name: ledger.mended(name) for name in visible}
    moves = [(visible[old], visible[old].with_name(new)) for old, new in names.items() if new != old]
    if not moves:
        return visible
    for error in storage.move_each_new(moves).values():
        what = f"an admitted file cannot get a name that Spark reads: {error}"
        cli = "move one of the two out of en_proceso; then ./caudal run STREAM"
        raise LedgerDamaged(what, moves[0][0].parent, cli=cli)
    return {new: visible[old].with_name(new) for old, new in names.items() if new}


def _write(room: Room, db: Connection, new: bool, lost: list[Entry], half: list[Entry]) -> None:
    with ledger.transaction(db):
        if new:
            ledger.create(db)
        # Files may repeat a content although the row does not allow it now: it may have allowed it before.
        repeats = len({e.content_hash for e in lost}) < len(lost)
        if room.takes_duplicates or repeats:
            ledger.allow_repeats(db)
        ledger.insert(db, lost, finished=True)
        ledger.finish(db, (e.name for e in half))


def _visible(folder: Path) -> dict[str, Path]:
    """The files in en_proceso that Spark would see, by name. Raises DataError for one not admitted."""
    visible = {path.name: path for path in folder.iterdir() if not path.name.startswith((".", "_"))}
    for name, path in visible.items():
        if ledger.parse_name(name) is None or not storage.is_regular(path):
            what = f"{shown(name)} lies in en_proceso, but intake did not put it there"
            cli = "move it to entrada, or away; then ./caudal run STREAM"
            raise DataError(what, shown(str(path)), cli=cli)
    return visible


def _archived(folder: Path) -> Iterator[Path]:
    for parent, _, files in os.walk(folder):
        paths = (Path(parent, name) for name in sorted(files) if ledger.parse_name(name))
        yield from (path for path in paths if storage.is_regular(path))


def _rebuilt(path: Path, multiline: bytes) -> Entry:
    """The row of an admitted file, from its name, content and mtime.

    The original name and mtime are lost, so the safe name and the present mtime take their place.
    """
    name = ledger.parse_name(path.name)
    try:
        scan = counting.scan(path, name.safe if name else "", multiline=multiline)
    except Busy as busy:
        raise DataError(str(busy), path) from busy
    if name is None or scan.unfit or not scan.content_hash.startswith(name.hash_start):
        what = f"the ledger has no row for this file, and its content is not what its name says {scan.unfit}"
        raise LedgerDamaged(what, path, cli="restore the named file, or the ledger, from a backup")
    admitted_at = datetime.fromtimestamp(scan.mtime_ns // NS, UTC).isoformat(timespec="milliseconds")
    return Entry(
        sequence=name.sequence,
        content_hash=scan.content_hash,
        original_name=name.safe,
        name=path.name,
        size_bytes=scan.size_bytes,
        records=scan.records,
        original_mtime_ns=scan.mtime_ns,
        mtime_ms=scan.mtime_ns // 1_000_000,
        admitted_at=admitted_at,
    )
