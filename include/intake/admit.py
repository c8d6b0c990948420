"""Moves files from entrada to en_proceso, in rounds. It begins with what a killed run has left."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection

from include.intake import claims, counting, names, reconcile, refuse, settle, sidecars
from include.intake.refuse import Case
from include.intake.types import Busy, Clock, Intake, Room, Sleep, shown
from jobs.contract.disk import failpoints, ledger, storage
from jobs.contract.disk.layout import Layout
from jobs.contract.disk.ledger import Entry
from jobs.contract.errors import LedgerDamaged
from jobs.contract.run import admitted
from jobs.contract.stream import Stream

ROUND_FILES = 1000  # per ledger transaction and flush; after a kill, at most one round is hashed again
MS = 1_000_000  # ns

Scanned = tuple[Path, counting.Scan]  # a claim, and what one pass over it has found


def admit(layout: Layout, stream: Stream, clock: Clock, sleep: Sleep) -> Intake:
    """Admits or refuses every file at rest in the stream's folder. The caller holds the stream's lease.

    It waits once, at most settle_s seconds. A Kafka source has no folder, and nothing is done. Raises
    DiskFull, NotWritable, LedgerDamaged, UnsafePath, or DataError for a file in en_proceso that intake did
    not put there.
    """
    if not stream.folder:
        return Intake()
    room = Room(layout, stream, clock, sleep)
    with storage.disk_errors(layout.data):
        for folder in (layout.entrada(room.folder), layout.claims(room.folder)):
            storage.make_dirs(storage.confine(layout.home, folder))
        storage.confine(layout.home, layout.ledger(room.folder))
        with ledger.writer(layout.ledger(room.folder)) as db:
            left = claims.leftovers(room)
            reconcile.reconcile(room, db)
            _in_rounds(room, db, claims.at_rest(room, left))
            settled = settle.settled(room)
            for start in range(0, len(settled), ROUND_FILES):
                _round(room, db, claims.claim(room, settled[start : start + ROUND_FILES]))
    return Intake(tuple(room.admitted), tuple(room.refused), tuple(room.waiting))


def waiting_files(layout: Layout, stream: Stream) -> tuple[str, ...]:
    """Admitted names in en_proceso, in order of admission: the files that Spark may still have to read."""
    return tuple(sorted(admitted.names(layout, stream.folder)))


def _in_rounds(room: Room, db: Connection, claimed: Sequence[Path]) -> None:
    for start in range(0, len(claimed), ROUND_FILES):
        _round(room, db, claimed[start : start + ROUND_FILES])


def _round(room: Room, db: Connection, claimed: Sequence[Path]) -> None:
    """Hashes, judges, enters into the ledger, shows, refuses. Each step is durable before the next one."""
    if not claimed:
        return
    scanned = [scanned for path in claimed if (scanned := _scan(room, path))]
    fresh, refused = _judge(room, db, scanned)
    failpoints.hit("claim")
    entries = _enter(room, db, fresh)
    failpoints.hit("ledger")
    _show(room, db, entries)
    failpoints.hit("admitted")
    refuse.refuse(room, refused + _repeats(room, db, fresh, entries))


def _scan(room: Room, path: Path) -> Scanned | None:
    """None for a file that is not at rest; it goes back to entrada."""
    try:
        demands = None if room.is_delivery(path.name) else room.demands
        return path, counting.scan(path, names.safe_name(path.name), demands, room.multiline)
    except Busy as busy:
        claims.put_back(room, path, str(busy))
        return None


def _judge(room: Room, db: Connection, scanned: Sequence[Scanned]) -> tuple[list[Scanned], list[Case]]:
    """(to be admitted, refused for good). If files of one round are equal, all are in the first list."""
    hashes = set() if room.takes_duplicates else {scan.content_hash for _, scan in scanned}
    done = {e.content_hash: e for e in ledger.select(db, "content_hash", hashes, only=1)}
    fresh, refused = [], []
    for path, scan in scanned:
        sidecar = sidecars.reason(names.delivered(path.name, scan.content_hash))
        again = _duplicate(done[scan.content_hash]) if scan.content_hash in done else ""
        reason = sidecar or scan.unfit or again
        if reason:
            refused.append(Case(path, scan, reason))
        else:
            fresh.append((path, scan))
    return fresh, refused


def _duplicate(entry: Entry) -> str:
    first = f"{entry.original_name} of {entry.admitted_at[:19]}Z"
    return f"duplicate: the content of {first}, admitted as {entry.name}"


def _enter(room: Room, db: Connection, fresh: Sequence[Scanned]) -> dict[Path, Entry]:
    """Writes an unfinished row for each content, and returns claim -> row. Where the stream takes duplicates,
    it writes a row for each file."""
    hashes = {scan.content_hash for _, scan in fresh}
    unfinished = ledger.select(db, "content_hash", hashes, only=0)
    half = {(e.content_hash, e.original_name): e for e in unfinished}
    first: dict[object, Scanned] = {}
    for path, scan in sorted(fresh, key=lambda scanned: _known(*scanned) not in half):
        first.setdefault(path if room.takes_duplicates else scan.content_hash, (path, scan))
    with ledger.transaction(db):
        if room.takes_duplicates:
            ledger.allow_repeats(db)
        sequence, mtime_ms = ledger.last(db)
        now_ms = int(room.clock() * 1000)
        entries = {}
        for number, (path, scan) in enumerate(first.values(), 1):
            mtime_ms = max(now_ms, mtime_ms + 1)
            # If a killed run left an unfinished row for this very file, the original mtime is in that row:
            # the killed run may have changed the file's own.
            row = half.get(_known(path, scan))
            original_ns = row.original_mtime_ns if row else scan.mtime_ns
            entries[path] = _entry(path, scan, sequence + number, (original_ns, mtime_ms, now_ms))
        ledger.insert(db, list(entries.values()), finished=False)
    return entries


def _known(path: Path, scan: counting.Scan) -> tuple[str, str]:
    """(content hash, name as delivered), which identify an unfinished row."""
    return scan.content_hash, shown(names.delivered(path.name, scan.content_hash))


def _entry(path: Path, scan: counting.Scan, sequence: int, times: tuple[int, int, int]) -> Entry:
    """`times`: original mtime (ns), new mtime (ms), now (ms)."""
    original_mtime_ns, mtime_ms, now_ms = times
    delivered = names.delivered(path.name, scan.content_hash)
    return Entry(
        sequence=sequence,
        content_hash=scan.content_hash,
        original_name=shown(delivered),
        name=ledger.admitted_name(sequence, scan.content_hash, names.safe_name(delivered)),
        size_bytes=scan.size_bytes,
        records=scan.records,
        original_mtime_ns=original_mtime_ns,
        mtime_ms=mtime_ms,
        admitted_at=datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds"),
    )


def _show(room: Room, db: Connection, entries: dict[Path, Entry]) -> None:
    """Sets the mtimes, flushes data and times, gives the visible names, and then finishes the rows."""
    entries = {path: entry for path, entry in entries.items() if _kept_size(room, path, entry)}
    for path, entry in entries.items():
        os.utime(path, ns=(entry.mtime_ms * MS, entry.mtime_ms * MS), follow_symlinks=False)
    storage.fsync_files(list(entries))
    target = room.layout.en_proceso(room.folder)
    moves = [(path, target / entry.name) for path, entry in entries.items()]
    for error in storage.move_each_new(moves).values():
        what = f"a new sequence number is taken already: {error}"
        raise LedgerDamaged(what, room.layout.ledger(room.folder))
    with ledger.transaction(db):
        ledger.finish(db, (e.name for e in entries.values()))
    room.admitted += entries.values()


def _kept_size(room: Room, path: Path, entry: Entry) -> bool:
    """False, and the file goes back, if a writer has gone on after the count. On a network disk, or for
    another user's file, the check for writers cannot see that."""
    if path.lstat().st_size == entry.size_bytes:
        return True
    claims.put_back(room, path, "grew after it was counted")
    return False


def _repeats(room: Room, db: Connection, fresh: Sequence[Scanned], entries: dict[Path, Entry]) -> list[Case]:
    """Files that are equal to an earlier one of this round: duplicates, now that the first is admitted."""
    return _judge(room, db, [scanned for scanned in fresh if scanned[0] not in entries])[1]
