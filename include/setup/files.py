"""What set-up does with files: whole ones only, one maker at a time. The cache may be another user's, or lie on a read-only disk."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import pwd
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jobs.contract.disk import storage
from jobs.contract.errors import DiskFull, InstallationError


def write_whole(path: Path, text: str, mode: int = 0o644) -> None:
    """`path` holds the old text or the new one, never half of it. Two writers at once: the last one's."""
    with install_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        storage.replace(path, text.encode(), mode)


def remember(path: Path, text: str) -> None:
    """As write_whole, of what only saves time: where it cannot be written, nothing is remembered."""
    with suppress(InstallationError, DiskFull):
        write_whole(path, text)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def one_maker(path: Path, say: Callable[[str], None]) -> Iterator[int]:
    """The exclusive lock file `path`; waits for another maker and says so. Yields the descriptor: a child that is given it holds the lock, too,
    so a killed maker's child is never overtaken."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another caudal is at it; waiting for {path.name}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


@contextmanager
def install_errors(where: Path) -> Iterator[None]:
    """A full disk or a forbidden folder as one line that names it, and whose it is."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                "no space left for the installation",
                error.filename or where,
                cli="free space there, then ./caudal setup",
            ) from error
        place = Path(error.filename or where)
        raise InstallationError(
            f"cannot write: {error.strerror}{whose(place)}", place, cli=way_out(place)
        ) from error


def missing(what: str, place: Path) -> InstallationError:
    """For what `setup` makes and is not there, or may not be read; below another user's cache that user is named, too."""
    other = whose(place)
    return InstallationError(
        f"{what}{', or not for this user' if other else ''}{other}",
        place,
        cli=way_out(place) if other else "",
    )


def why_not_writable(folder: Path) -> str:
    """Why no file can be made there, in a line; empty when one can."""
    try:
        with install_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as probe:
                probe.write(b"x" * 4096)
    except (InstallationError, DiskFull) as error:
        return f"{error.what} [{error.where}]"
    return ""


def way_out(place: Path) -> str:
    """What to do where something is missing below a cache that this user may not change."""
    return f"have {owner(place)} run ./caudal setup with this checkout, or set CAUDAL_CACHE to a folder of your own"


def whose(place: Path) -> str:
    """Who `place`, or the nearest folder above it that is there, belongs to when that is another user; else nothing."""
    uid = _uid(place)
    return (
        ""
        if uid in (-1, os.geteuid())
        else f"; it belongs to {_name(uid)}, and this is {_name(os.geteuid())}"
    )


def owner(place: Path) -> str:
    uid = _uid(place)
    return "its owner" if uid == -1 else _name(uid)


def _uid(place: Path) -> int:
    for path in (place, *place.parents):
        with suppress(OSError):
            return path.stat().st_uid
    return -1


def _name(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:  # a user without a passwd entry, as containers have
        return f"uid {uid}"
