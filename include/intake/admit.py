"""The way from entrada to en_proceso, in rounds; and what a killed run left on it."""

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

ROUND_FILES = 1000  # per ledger transaction and flush; a kill repeats at most the hashing of one round
MS = 1_000_000  # ns

Judged = tuple[Path, counting.Scan]


def admit(layout: Layout, stream: Stream, clock: Clock, sleep: Sleep) -> Intake:
    """Admits or refuses every file at rest in the stream's folder; nothing to do for a Kafka source. The caller holds the stream's lease.

    Waits at most settle_s, once. Raises DiskFull, NotWritable, LedgerDamaged, UnsafePath, or DataError for a stranger in en_proceso.
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
            found = settle.settled(room)
            for start in range(0, len(found), ROUND_FILES):
                _round(room, db, claims.claim(room, found[start : start + ROUND_FILES]))
    return Intake(tuple(room.admitted), tuple(room.refused), tuple(room.waiting))


def waiting_files(layout: Layout, stream: Stream) -> tuple[str, ...]:
    """Admitted names that lie in en_proceso, in order of admission: what Spark may still have to read."""
    return tuple(sorted(admitted.names(layout, stream.folder)))


def _in_rounds(room: Room, db: Connection, claimed: Sequence[Path]) -> None:
    for start in range(0, len(claimed), ROUND_FILES):
        _round(room, db, claimed[start : start + ROUND_FILES])


def _round(room: Room, db: Connection, claimed: Sequence[Path]) -> None:
    """Hash, judge, enter into the ledger, show, refuse: in this order, each step durable before the next."""
    if not claimed:
        return
    fresh, refused = _judge(room, db, [j for path in claimed if (j := _scan(room, path))])
    failpoints.hit("claim")
    entries = _enter(room, db, fresh)
    failpoints.hit("ledger")
    _show(room, db, entries)
    failpoints.hit("admitted")
    refuse.refuse(room, refused + _repeats(room, db, fresh, entries))


def _scan(room: Room, path: Path) -> Judged | None:
    try:
        demands = None if room.is_delivery(path.name) else room.demands
        return path, counting.scan(path, names.safe_name(path.name), demands, room.multiline)
    except Busy as busy:
        claims.put_back(room, path, str(busy))
        return None


def _judge(room: Room, db: Connection, judged: Sequence[Judged]) -> tuple[list[Judged], list[Case]]:
    """(to be admitted, refused for good). Of equal contents in one round all are still in the first list."""
    hashes = set() if room.takes_duplicates else {s.content_hash for _, s in judged}
    done = {e.content_hash: e for e in ledger.select(db, "content_hash", hashes, only=1)}
    fresh, refused = [], []
    for path, scan in judged:
        sidecar = sidecars.reason(names.delivered(path.name, scan.content_hash))
        again = _duplicate(done[scan.content_hash]) if scan.content_hash in done else ""
        reason = sidecar or scan.unfit or again
        if reason:
            refused.append(Case(path, scan, reason))
        else:
            fresh.append((path, scan))
    return fresh, refused


def _duplicate(entry: Entry) -> str:
    return f"duplicate: the content of {entry.original_name} of {entry.admitted_at[:19]}Z, admitted as {entry.name}"


def _enter(room: Room, db: Connection, fresh: Sequence[Judged]) -> dict[Path, Entry]:
    """Writes unfinished rows, one a content (where duplicates are taken, one a file), and returns claim -> row."""
    half = {
        (e.content_hash, e.original_name): e
        for e in ledger.select(db, "content_hash", {s.content_hash for _, s in fresh}, only=0)
    }
    first: dict[object, Judged] = {}
    for path, scan in sorted(fresh, key=lambda judged: _known(*judged) not in half):
        first.setdefault(path if room.takes_duplicates else scan.content_hash, (path, scan))
    with ledger.transaction(db):
        if room.takes_duplicates:
            ledger.allow_repeats(db)
        sequence, mtime_ms = ledger.last(db)
        now_ms = int(room.clock() * 1000)
        entries = {}
        for number, (path, scan) in enumerate(first.values(), 1):
            mtime_ms = max(now_ms, mtime_ms + 1)
            # a killed run left an unfinished row for this very file: it knows the mtime from before that run set its own
            known_ns = (
                half[_known(path, scan)].original_mtime_ns if _known(path, scan) in half else scan.mtime_ns
            )
            entries[path] = _entry(path, scan, sequence + number, (known_ns, mtime_ms, now_ms))
        ledger.insert(db, list(entries.values()), finished=False)
    return entries


def _known(path: Path, scan: counting.Scan) -> tuple[str, str]:
    """(content, name as delivered): what an unfinished row is known by."""
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
    """mtime, flush of data and times, then the visible names, then the rows are finished."""
    entries = {path: entry for path, entry in entries.items() if _kept_size(room, path, entry)}
    for path, entry in entries.items():
        os.utime(path, ns=(entry.mtime_ms * MS, entry.mtime_ms * MS), follow_symlinks=False)
    storage.fsync_files(list(entries))
    target = room.layout.en_proceso(room.folder)
    for error in storage.move_each_new(
        [(path, target / entry.name) for path, entry in entries.items()]
    ).values():
        raise LedgerDamaged(
            f"a new sequence number is taken already: {error}", room.layout.ledger(room.folder)
        )
    with ledger.transaction(db):
        ledger.finish(db, (e.name for e in entries.values()))
    room.admitted += entries.values()


def _kept_size(room: Room, path: Path, entry: Entry) -> bool:
    """Where no lease could tell (another user's file, a network disk) a writer may have gone on after the count."""
    if path.lstat().st_size == entry.size_bytes:
        return True
    claims.put_back(room, path, "grew after it was counted")
    return False


def _repeats(room: Room, db: Connection, fresh: Sequence[Judged], entries: dict[Path, Entry]) -> list[Case]:
    """The later ones of equal contents in one round: duplicates, now that the first is finished."""
    return _judge(room, db, [j for j in fresh if j[0] not in entries])[1]
