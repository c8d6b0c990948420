"""What set-up does with files: whole ones only, one maker at a time."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.contract.errors import DiskFull, InstallationError


def write_whole(path: Path, text: str, mode: int = 0o644) -> None:
    """`path` holds the old text or the new one, never half of it. Two writers at once: the last one's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with install_errors(path):
        part.write_text(text)
        part.chmod(mode)
        part.replace(path)


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
    """A full disk or a forbidden folder as one line that names it."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("no space left for the installation", error.filename or where, cli="free space there, then ./caudal setup") from error
        raise InstallationError(f"cannot write: {error.strerror}", error.filename or where, cli="mend that, or set CAUDAL_CACHE") from error
