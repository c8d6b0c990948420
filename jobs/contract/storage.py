"""Every change on disk goes through here: write, link, move, rename, remove, each made durable before the call returns.

A crash (kill -9 or power cut) inside a call leaves the old state, the new one, or both names of one file; never half a file under a
final name. A leftover of a killed write is a hidden `.tmp-…` beside its target, which every reader ignores.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from jobs.contract.errors import DiskFull, NotWritable, UnsafePath

TEMP_PREFIX = ".tmp-"
COPY_BYTES = 1024 * 1024
SYNCFS_FROM = 32  # files; above it one syncfs is cheaper than an fsync each (500 small ones: 0.6 s by fsync)
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_NO_LINK = (errno.EXDEV, errno.EPERM)  # another device; a file of another user (fs.protected_hardlinks)


def fsync_file(path: Path) -> None:
    """Data and times of one file to the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fsync_dir(path: Path) -> None:
    """The names in a folder to the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fsync_files(paths: Sequence[Path]) -> None:
    """As fsync_file for each; many files of one file system are flushed by one syncfs."""
    if len(paths) >= SYNCFS_FROM and len({p.lstat().st_dev for p in paths}) == 1 and _syncfs(paths[0].parent):
        return
    for path in paths:
        fsync_file(path)


def make_dirs(path: Path) -> None:
    """Makes `path` and what is missing above it; each new name is durable before the next level is made."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for level in reversed(missing):
        with suppress(FileExistsError):
            level.mkdir()
        fsync_dir(level.parent)


def write_new(path: Path, data: bytes) -> None:
    """Writes a file that must not exist. Raises FileExistsError and leaves the old one as it is."""
    temp = _write_temp(path.parent, data)
    try:
        os.link(temp, path, follow_symlinks=False)
    finally:
        temp.unlink()
    fsync_dir(path.parent)


def replace(path: Path, data: bytes) -> None:
    """Writes a file whole, over an old one if there is one."""
    temp = _write_temp(path.parent, data)
    try:
        temp.replace(path)
    except OSError:
        temp.unlink()
        raise
    fsync_dir(path.parent)


def move_new(src: Path, dst: Path) -> None:
    """Moves one file, never over another (FileExistsError). Killed half-way, both names exist: one inode, or two equal files across devices."""
    link_new(src, dst)
    fsync_dir(dst.parent)
    src.unlink()
    fsync_dir(src.parent)


def move_all_new(pairs: Sequence[tuple[Path, Path]]) -> None:
    """As move_new for each (source, target), with one fsync a folder. Raises at the first target that exists; those before it have both names."""
    for src, dst in pairs:
        link_new(src, dst)
    fsync_dirs(dst.parent for _, dst in pairs)
    unlink_all([src for src, _ in pairs])


def unlink_all(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink()
    fsync_dirs(p.parent for p in paths)


def fsync_dirs(folders: Iterable[Path]) -> None:
    for folder in dict.fromkeys(folders):
        fsync_dir(folder)


def link_new(src: Path, dst: Path) -> None:
    """A second name for `src`, or a whole copy of it (with its mtime) where no link can be made. The caller makes the folder durable."""
    try:
        os.link(src, dst, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        _copy_new(src, dst)


def rename_dir_new(src: Path, dst: Path) -> None:
    """Renames a folder onto a name that must be free (FileExistsError), even of an empty folder or a dangling link.

    Where the kernel has no renameat2 the check comes before the rename: callers hold their stream's lock anyway.
    """
    if os.path.lexists(dst):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(dst))
    if not _rename_noreplace(src, dst):
        src.rename(dst)
    fsync_dir(dst.parent)
    if src.parent != dst.parent:
        fsync_dir(src.parent)


def confine(root: Path, path: Path | str) -> Path:
    """`path` (relative ones count from `root`) if it lies below `root`. Raises UnsafePath for `..` or a link in any component below root."""
    full = root / path
    if ".." in full.parts or not full.is_relative_to(root):
        raise UnsafePath("the path leaves its folder", full)
    current = root
    for part in full.relative_to(root).parts:
        current = current / part
        if current.is_symlink():
            raise UnsafePath("the path goes through a link", current)
    return full


def remove_tree(root: Path, path: Path) -> None:
    """Removes a folder below `root` with all in it; links in it are removed, not followed. Raises UnsafePath; a missing one is done already."""
    target = confine(root, path)
    if target == root:
        raise UnsafePath("a root is never removed", target)
    with suppress(FileNotFoundError):
        shutil.rmtree(target)  # noqa: TID251 - the one place: confined above, and rmtree works by descriptors, so no link is followed
        fsync_dir(target.parent)


def read_json(path: Path) -> Any:
    """Raises FileNotFoundError, or ValueError when the bytes are not JSON."""
    return json.loads(path.read_bytes())


def to_json_bytes(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode("utf-8", "backslashreplace")


def is_regular(path: Path) -> bool:
    """A regular file itself, not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


@contextmanager
def disk_errors(where: object) -> Iterator[None]:
    """Turns a full or read-only disk inside the block into DiskFull or NotWritable; other errors pass as they are."""
    try:
        yield
    except OSError as error:
        place = error.filename or where
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("no space left" if error.errno == errno.ENOSPC else "the disk quota is used up", place) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise NotWritable(f"cannot be written: {os.strerror(error.errno).lower()}", place) from error
        raise


def _write_temp(folder: Path, data: bytes) -> Path:
    """A durable temporary file holding `data`; nothing is left when the disk is full."""
    temp = folder / f"{TEMP_PREFIX}{secrets.token_hex(8)}"
    try:
        with temp.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temp.unlink(missing_ok=True)
        raise
    return temp


def _copy_new(src: Path, dst: Path) -> None:
    temp = dst.parent / f"{TEMP_PREFIX}{secrets.token_hex(8)}"
    try:
        fd = os.open(src, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as source, temp.open("xb") as target:
            shutil.copyfileobj(source, target, COPY_BYTES)
            target.flush()
            info = os.fstat(fd)
            os.utime(target.fileno(), ns=(info.st_mtime_ns, info.st_mtime_ns))
            os.fsync(target.fileno())
        os.link(temp, dst, follow_symlinks=False)
    finally:
        temp.unlink(missing_ok=True)


def _rename_noreplace(src: Path, dst: Path) -> bool:
    """True when renamed; False when kernel, C library or file system has no such call."""
    call = getattr(_libc(), "renameat2", None)
    if call is None:
        return False
    if call(_AT_FDCWD, os.fsencode(src), _AT_FDCWD, os.fsencode(dst), _RENAME_NOREPLACE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL):
        return False
    raise OSError(code, os.strerror(code), str(src), None, str(dst))


def _syncfs(folder: Path) -> bool:
    """Flushes the file system that holds `folder`. False where there is no such call; write errors are raised (Linux >= 5.8)."""
    call = getattr(_libc(), "syncfs", None)
    if call is None:
        return False
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        if call(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(fd)
    return True


@cache
def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
