"""Records which files and folders were synced and what was removed or renamed since, to simulate a power cut.

It works only if CAUDAL_RECORD names a folder outside of the home. Then `os.fsync`, `unlink`, `rmdir`,
`rename` and `replace` of this process are wrapped, so that no writer can forget to report what it did.
include/torture/power.py reads the log and undoes what was not durable. CAUDAL_RECORD_OMIT: syncs of paths
that contain this text are not recorded, as if the code had forgotten them.

The log has one JSON line for each event. Each line is appended in one write, so several processes can share
the log: `file` (inode, size and mtime of a synced file), `dir` (inode and names of a synced folder), `gone`
(the folder's inode, the removed name, its inode and `copy`: a file under `kept/`, or "" for a folder or a
rename).
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

VARIABLE, OMIT = "CAUDAL_RECORD", "CAUDAL_RECORD_OMIT"
LOG, KEPT = "log", "kept"
_FOLDER = os.environ.get(VARIABLE, "")  # noqa: TID251 - read once: a recorder is no setting of a home
_OMIT = os.environ.get(OMIT, "")  # noqa: TID251


def arm() -> None:
    """Wraps this process's calls from now on. It does nothing unless the variable is set."""
    if _FOLDER:
        for name, wrap in (
            ("fsync", _fsync),
            ("unlink", _unlink),
            ("rmdir", _unlink),
            ("rename", _rename),
            ("replace", _rename),
        ):
            setattr(os, name, wrap(getattr(os, name)))


def flushed(path: Path, folder: Path | None = None) -> None:
    """Records that `path` is durable as it is now: the content of a file, or the names in a folder. `folder`:
    where the log is, by default CAUDAL_RECORD."""
    info = path.lstat()
    if _OMIT and _OMIT in str(path):
        return
    if stat.S_ISDIR(info.st_mode):
        names = {entry.name: entry.inode() for entry in os.scandir(path)}
        _append({"op": "dir", "ino": info.st_ino, "names": names}, folder)
    else:
        _append({"op": "file", "ino": info.st_ino, "size": info.st_size, "mtime": info.st_mtime_ns}, folder)


def flushed_all(root: Path, folder: Path | None = None) -> None:
    """Records that everything below `root` is durable."""
    for path in (root, *root.rglob("*")):
        if not path.is_symlink() and (path.is_file() or path.is_dir()):
            flushed(path, folder)


def synced_system(path: Path) -> None:
    """Records a syncfs of the file system of `path`: the home's data or state is durable."""
    if _FOLDER:
        flushed_all(next((p for p in path.parents if p.name in ("data", "state")), path))


def leaving(path: Path) -> None:
    """Call it before a rename takes the name `path` away."""
    if _FOLDER:
        _gone(path, keep=False)


def _append(event: dict[str, Any], folder: Path | None = None) -> None:
    line = json.dumps({"t": time.time_ns(), **event}) + "\n"
    fd = os.open(
        (folder or Path(_FOLDER)) / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
    )
    try:
        os.write(fd, line.encode("utf-8", "surrogateescape"))
    finally:
        os.close(fd)


def _gone(path: Path, *, keep: bool) -> None:
    """Records that the name `path` goes, before it goes: a kill in between would hide the event. If the name
    stays after all, the event does no harm. `keep`: keeps a copy of a file that is about to be removed."""
    try:
        info, parent = path.lstat(), path.parent.lstat()
    except OSError:
        return
    # The copy is needed to restore the file: a power cut may bring back a name whose removal was not synced.
    copy = _copy(path) if keep and stat.S_ISREG(info.st_mode) else ""
    _append({"op": "gone", "dir": parent.st_ino, "name": path.name, "ino": info.st_ino, "copy": copy})


def _copy(path: Path) -> str:
    name = secrets.token_hex(8)
    kept = Path(_FOLDER) / KEPT
    kept.mkdir(exist_ok=True)
    shutil.copy2(path, kept / name)
    return name


def _fsync(real: Callable[..., None]) -> Callable[..., None]:
    def fsync(fd: Any) -> None:
        real(fd)
        number = fd if isinstance(fd, int) else fd.fileno()
        flushed(Path(f"/proc/self/fd/{number}").readlink())

    return fsync


def _unlink(real: Callable[..., None]) -> Callable[..., None]:
    def unlink(path: Any, *, dir_fd: int | None = None) -> None:
        _gone(_full(path, dir_fd), keep=True)
        real(path, dir_fd=dir_fd)

    return unlink


def _rename(real: Callable[..., None]) -> Callable[..., None]:
    def rename(src: Any, dst: Any, **where: Any) -> None:
        _gone(_full(dst, where.get("dst_dir_fd")), keep=True)
        _gone(_full(src, where.get("src_dir_fd")), keep=False)
        real(src, dst, **where)

    return rename


def _full(path: Any, dir_fd: int | None) -> Path:
    name = Path(os.fsdecode(path))
    return Path(f"/proc/self/fd/{dir_fd}").readlink() / name if dir_fd is not None else Path.cwd() / name
