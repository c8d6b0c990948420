"""Claims: files taken from entrada.

They lie in `en_proceso/F/.claims` until they are admitted, refused or put back.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from include.intake import counting
from include.intake.types import Busy, Room
from jobs.contract.disk import storage


def claim(room: Room, names: Sequence[str]) -> list[Path]:
    """Moves files from entrada into claims, in order.

    A file that cannot be moved stays, and is reported. A file that a writer still has open is put back.
    """
    entrada, claims = room.layout.entrada(room.folder), room.layout.claims(room.folder)
    stayed = storage.move_each_new([(entrada / name, claims / name) for name in names])
    for source, error in stayed.items():
        if not isinstance(error, FileNotFoundError):  # its producer took it away: nothing to report
            room.wait(source.name, _why(error))
    return at_rest(room, [claims / name for name in names if entrada / name not in stayed])


def at_rest(room: Room, claimed: Sequence[Path]) -> list[Path]:
    """The claims that no process has open for writing; the others are put back.

    One check is enough: nobody finds a claim under its old name, so no new writer can come.
    """
    free = []
    for path in claimed:
        try:
            counting.check_no_writer(path)
            free.append(path)
        except Busy as busy:
            put_back(room, path, str(busy))
    storage.own_copies([path for path in free if _is_shared(path, room.demands.file_bytes)])
    return free


def put_back(room: Room, path: Path, why: str) -> None:
    """Returns a claim to entrada under its name. If a new file has that name, the claim stays where it is,
    and the next run tries again."""
    room.wait(path.name, why)
    storage.move_each_new([(path, room.layout.entrada(room.folder) / path.name)])


def leftovers(room: Room) -> list[Path]:
    """Claims of a killed run, oldest first.

    First, half-made moves are undone: if one file has two names, or was copied whole, the claim is removed.
    """
    layout, entries = room.layout, list(room.layout.claims(room.folder).iterdir())
    storage.unlink_all([p for p in entries if p.name.startswith(storage.TEMP_PREFIX)])
    claims = [p for p in entries if not p.name.startswith(storage.TEMP_PREFIX)]
    if not claims:
        return []
    _flush(room)
    elsewhere = _inodes(layout.en_proceso(room.folder)) | _inodes(layout.refused_files(room.folder))
    entrada = layout.entrada(room.folder)
    doubled = [p for p in claims if _inode(p) in elsewhere or _same(p, entrada / p.name)]
    storage.unlink_all(doubled)
    return sorted(set(claims) - set(doubled), key=lambda p: (p.lstat().st_mtime_ns, os.fsencode(p.name)))


def _flush(room: Room) -> None:
    """Makes the killed run's moves durable: it may have ended between a move and its flush, and a power cut
    after the next step must not undo the move."""
    layout, folder = room.layout, room.folder
    sources = layout.entrada(folder), layout.claims(folder)
    targets = layout.en_proceso(folder), layout.refused_files(folder)
    storage.fsync_dirs(place for place in (*sources, *targets) if place.is_dir())


def _is_shared(path: Path, most_bytes: int) -> bool:
    """Whether a file needs a copy that only we can change.

    It needs one if it belongs to another user, because then its times cannot be set, or if it has another
    name, under which it could change. A file over `most_bytes` is refused anyway.
    """
    info = path.lstat()
    return info.st_size <= most_bytes and (info.st_uid != os.geteuid() or info.st_nlink > 1)


def _same(claim: Path, source: Path) -> bool:
    """Whether both names are one file (a move by link that was cut in two), or equal files (a finished copy
    from another device, whose source was not yet removed)."""
    if not storage.is_regular(source):
        return False
    if _inode(claim) == _inode(source):
        return True
    if claim.lstat().st_size != source.lstat().st_size:
        return False
    try:
        return counting.content_hash(claim) == counting.content_hash(source)
    except Busy:
        return False


def _inodes(folder: Path) -> set[tuple[int, int]]:
    """(device, inode) of all entries of a folder; none if it is missing."""
    if not folder.is_dir():
        return set()
    return {_inode(path) for path in folder.iterdir()}


def _inode(path: Path) -> tuple[int, int]:
    info = path.lstat()
    return info.st_dev, info.st_ino


def _why(error: OSError) -> str:
    if isinstance(error, FileExistsError):
        return "a file of this name is still being admitted"
    return f"cannot be moved out of entrada: {(error.strerror or str(error)).lower()}"
