"""Ledger and files brought together before anything new: unfinished rows are finished, a lost ledger (or its lost end) is rebuilt from names."""

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
    """After it every visible file has a finished row; of a new ledger, every archived file too.

    Raises DataError for a visible file that intake did not put there, LedgerDamaged for one whose content is not what its name says.
    """
    visible = _mended(_visible(room.layout.en_proceso(room.folder)))
    new = ledger.is_new(db)
    known = set() if new else _known(db, visible)
    half = [] if new else list(ledger.select(db, "name", visible, only=0))
    lost = [path for name, path in visible.items() if name not in known]
    if new:
        lost += [path for path in _archived(room.layout.archivo(room.folder)) if path.name not in visible]
    if half or lost:  # a kill came between rename and flush, perhaps: no row may outlive its name
        storage.fsync_dir(room.layout.en_proceso(room.folder))
    if new or half or lost:
        _write(room, db, new, [_rebuilt(path, room.multiline) for path in lost], half)
    if new:
        storage.fsync_dir(room.layout.ledger(room.folder).parent)
    room.admitted += half


def _known(db: Connection, visible: dict[str, Path]) -> set[str]:
    """Names that the ledger has a row for, rows of mended names brought after their files first."""
    found = {e.name for e in ledger.select(db, "name", visible)}
    if not (unknown := visible.keys() - found):
        return found
    with ledger.transaction(db):
        ledger.mend(db, unknown)
    return found | {e.name for e in ledger.select(db, "name", unknown)}


def _mended(visible: dict[str, Path]) -> dict[str, Path]:
    """Files of names that Spark's listing skips, admitted by an earlier version, get one that it reads; their rows
    follow in `_known`."""
    moves = [
        (path, path.with_name(new)) for name, path in visible.items() if (new := ledger.mended(name)) != name
    ]
    if not moves:
        return visible
    for error in storage.move_each_new(moves).values():
        what = f"an admitted file cannot get a name that Spark reads: {error}"
        raise LedgerDamaged(
            what, moves[0][0].parent, cli="move one of the two out of en_proceso; then ./caudal run STREAM"
        )
    return {new: path.with_name(new) for name, path in visible.items() if (new := ledger.mended(name))}


def _write(room: Room, db: Connection, new: bool, lost: list[Entry], half: list[Entry]) -> None:
    with ledger.transaction(db):
        if new:
            ledger.create(db)
        if room.takes_duplicates or len({e.content_hash for e in lost}) < len(
            lost
        ):  # the row may have been changed back since
            ledger.allow_repeats(db)
        ledger.insert(db, lost, finished=True)
        ledger.finish(db, (e.name for e in half))


def _visible(folder: Path) -> dict[str, Path]:
    """What Spark would see in en_proceso, by name. Raises DataError for anything that is not an admitted file."""
    found = {path.name: path for path in folder.iterdir() if not path.name.startswith((".", "_"))}
    for name, path in found.items():
        if ledger.parse_name(name) is None or not storage.is_regular(path):
            raise DataError(
                f"{shown(name)} lies in en_proceso, but intake did not put it there",
                shown(str(path)),
                cli="move it to entrada, or away; then ./caudal run STREAM",
            )
    return found


def _archived(folder: Path) -> Iterator[Path]:
    for parent, _, files in os.walk(folder):
        yield from (
            Path(parent, name)
            for name in sorted(files)
            if ledger.parse_name(name) and storage.is_regular(Path(parent, name))
        )


def _rebuilt(path: Path, multiline: bytes) -> Entry:
    """The row of an admitted file from name, content and mtime. Safe name and mtime stand for the original ones, which are lost."""
    name = ledger.parse_name(path.name)
    try:
        scan = counting.scan(path, name.safe if name else "", multiline=multiline)
    except Busy as busy:
        raise DataError(str(busy), path) from busy
    if name is None or scan.unfit or not scan.content_hash.startswith(name.hash_start):
        raise LedgerDamaged(
            f"the ledger has no row for this file, and its content is not what its name says {scan.unfit}",
            path,
            cli="restore the named file, or the ledger, from a backup",
        )
    admitted_at = datetime.fromtimestamp(scan.mtime_ns // NS, UTC).isoformat(timespec="milliseconds")
    mtime_ms = scan.mtime_ns // 1_000_000
    return Entry(
        name.sequence,
        scan.content_hash,
        name.safe,
        path.name,
        scan.size_bytes,
        scan.records,
        scan.mtime_ns,
        mtime_ms,
        admitted_at,
    )
