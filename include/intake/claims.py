"""Claims: a file taken out of entrada lies in `en_proceso/F/.claims` until it is admitted, refused or put back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from include.intake import counting
from include.intake.types import Busy, Room
from jobs.contract.disk import storage


def claim(room: Room, found: Sequence[str]) -> list[Path]:
    """Moves files of entrada into claims, in order; what cannot be moved is said and stays. A file a writer still holds is put back."""
    entrada, claims = room.layout.entrada(room.folder), room.layout.claims(room.folder)
    stayed = storage.move_each_new([(entrada / name, claims / name) for name in found])
    for source, error in stayed.items():
        if not isinstance(error, FileNotFoundError):  # its producer took it away again: nothing to say
            room.wait(source.name, _why(error))
    return at_rest(room, [claims / name for name in found if entrada / name not in stayed])


def at_rest(room: Room, claimed: Sequence[Path]) -> list[Path]:
    """The claims that no process has open for writing. Nobody finds them by name any more, so none comes later; the others are put back."""
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
    """Returns a claim to entrada under its name; it stays claimed when a new file has that name, and is tried again by the next run."""
    room.wait(path.name, why)
    storage.move_each_new([(path, room.layout.entrada(room.folder) / path.name)])


def leftovers(room: Room) -> list[Path]:
    """Claims of a killed run, oldest first. Half-made moves are undone first: of two names of one file (or two equal files) one goes."""
    folder = room.layout.claims(room.folder)
    entries = list(folder.iterdir())
    storage.unlink_all([p for p in entries if p.name.startswith(storage.TEMP_PREFIX)])
    found = [p for p in entries if not p.name.startswith(storage.TEMP_PREFIX)]
    if not found:
        return []
    _flush(room)
    elsewhere = _inodes(room.layout.en_proceso(room.folder)) | _inodes(room.layout.refused_files(room.folder))
    doubled = [
        p for p in found if _inode(p) in elsewhere or _same(p, room.layout.entrada(room.folder) / p.name)
    ]
    storage.unlink_all(doubled)
    return sorted(set(found) - set(doubled), key=lambda p: (p.lstat().st_mtime_ns, os.fsencode(p.name)))


def _flush(room: Room) -> None:
    """The killed run may have ended between a move and its flush; what is seen now must not be undone by a power cut after the next step."""
    layout, folder = room.layout, room.folder
    places = (
        layout.entrada(folder),
        layout.claims(folder),
        layout.en_proceso(folder),
        layout.refused_files(folder),
    )
    storage.fsync_dirs(place for place in places if place.is_dir())


def _is_shared(path: Path, most_bytes: int) -> bool:
    """Another user's file (its times cannot be set), or one with another name somewhere (it could change there, unseen); a larger one is not
    admitted, so not copied either."""
    info = path.lstat()
    return info.st_size <= most_bytes and (info.st_uid != os.geteuid() or info.st_nlink > 1)


def _same(claim: Path, source: Path) -> bool:
    """One file under both names (a link not yet undone), or a whole copy across devices whose source was not yet removed."""
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
    """(device, inode) of the plain files of a folder that is there."""
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
