"""File helpers of set-up: whole files, one maker at a time. The cache may belong to another user, or be on a
read-only disk."""

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
    """Replaces the whole file; its folder is made. The errors are those of install_errors."""
    with install_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        storage.replace(path, text.encode(), mode)


def remember(path: Path, text: str) -> None:
    """Like write_whole, for what only saves time: if it cannot be written, it is not remembered."""
    with suppress(InstallationError, DiskFull):
        write_whole(path, text)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def one_maker(path: Path, say: Callable[[str], None]) -> Iterator[int]:
    """Holds the exclusive lock file `path`. If another maker holds it, says so and waits. Yields the
    descriptor: a child that inherits it holds the lock too, so it is safe even after its maker is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another caudal is working; waiting for {path.name}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


@contextmanager
def install_errors(where: Path) -> Iterator[None]:
    """Turns a full disk or a forbidden folder into one line with the path and its owner."""
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
    """An error for what `setup` makes, and is missing or unreadable. In another user's cache, it names that
    user."""
    other = whose(place)
    return InstallationError(
        f"{what}{', or not for this user' if other else ''}{other}",
        place,
        cli=way_out(place) if other else "",
    )


def why_not_writable(folder: Path) -> str:
    """Why no file can be created in `folder`, in one line; empty if one can."""
    try:
        with install_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as probe:
                probe.write(b"x" * 4096)
    except (InstallationError, DiskFull) as error:
        return f"{error.what} [{error.where}]"
    return ""


def way_out(place: Path) -> str:
    """What to do if something is missing in a cache that this user may not change."""
    ask = f"ask {owner(place)} to run ./caudal setup with this checkout"
    return f"{ask}, or set CAUDAL_CACHE to a folder of your own"


def whose(place: Path) -> str:
    """The owner of `place`, or of the nearest folder above it that exists, if that is another user; otherwise
    empty."""
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
    except KeyError:  # a user without a passwd entry, as in containers
        return f"uid {uid}"
