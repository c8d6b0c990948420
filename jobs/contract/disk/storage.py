"""Every change on disk goes through here: write, link, move, rename, remove. Each is durable when its call
returns.

A crash (kill -9 or power cut) inside a call leaves the old state, the new state, or both names of one file,
but never half a file under its final name. A killed write may leave a hidden `.tmp-…` beside its target,
which every reader ignores.

The order is always the same: write to a temporary name, sync the content, rename, sync the folder. If the
rename came first, a power cut could leave the final name with an empty file.
"""

from __future__ import annotations

import errno
import filecmp
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from jobs.contract.disk import failpoints, recording
from jobs.contract.disk.syscalls import rename_noreplace, syncfs
from jobs.contract.errors import DiskFull, NotWritable, UnsafePath

TEMP_PREFIX = ".tmp-"
COPY_BYTES = 1024 * 1024
SYNCFS_FROM = 32  # files. From here on one syncfs is cheaper than an fsync for each (500 small files: 0.6 s)
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)  # every other file would fail as well, so stop
_NO_LINK = (errno.EXDEV, errno.EPERM)  # another device; a file of another user (fs.protected_hardlinks)
recording.arm()  # only power cut tests arm it


def fsync_file(path: Path) -> None:
    """Makes content and times of one file durable."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fsync_dir(path: Path) -> None:
    """Makes the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fsync_files(paths: Sequence[Path]) -> None:
    """As fsync_file for each path. Many files of one file system are synced by one syncfs."""
    if len(paths) >= SYNCFS_FROM and len({p.lstat().st_dev for p in paths}) == 1 and syncfs(paths[0].parent):
        return
    for path in paths:
        fsync_file(path)


def make_dirs(path: Path) -> None:
    """Creates `path` and what is missing above it. Each new name is durable before the next level is
    created."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for level in reversed(missing):
        with suppress(FileExistsError):  # another process was faster
            level.mkdir()
        fsync_dir(level.parent)


def write_new(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Writes a file that must not exist. Raises FileExistsError, and leaves an existing file unchanged."""
    temp = _write_temp(path.parent, data)
    try:
        fsync_file(temp)
        os.link(temp, path, follow_symlinks=False)  # not a rename, which would replace an existing file
    finally:
        temp.unlink()
    fsync_dir(path.parent)


def replace(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Writes a file, and replaces an existing one in one step. It has `mode`, less the umask, from its first
    byte on."""
    replace_all([(path, data)], mode)


def replace_all(files: Sequence[tuple[Path, bytes]], mode: int = 0o666) -> None:
    """As replace for each (path, data), but synced together. After a kill, each file is old or new."""
    temps: list[Path] = []
    try:
        for path, data in files:
            temps.append(_write_temp(path.parent, data, mode))
        fsync_files(temps)
        for temp, (path, _) in zip(temps, files, strict=True):
            temp.replace(path)
    finally:
        for temp in temps:
            temp.unlink(missing_ok=True)
    fsync_dirs(path.parent for path, _ in files)


def move_new(src: Path, dst: Path) -> None:
    """Moves one file, never over another (FileExistsError).

    It is one atomic rename where kernel and file system have renameat2. Elsewhere it is link + unlink, or
    copy + unlink across devices; a kill in between leaves both names, as one inode or as two equal files. If
    a new file has taken the old name meanwhile, it stays.
    """
    for error in move_each_new([(src, dst)]).values():
        raise error


def move_each_new(pairs: Sequence[tuple[Path, Path]]) -> dict[Path, OSError]:
    """As move_new for each (source, target), with one fsync for each folder. Returns the sources that stayed,
    with the reason. Raises the OSError of a full or failing disk."""
    stayed: dict[Path, OSError] = {}
    doubled: list[tuple[Path, Path, os.stat_result]] = []
    for src, dst in pairs:
        try:
            if not rename_noreplace(src, dst):
                doubled.append((src, dst, link_new(src, dst)))
            failpoints.hit("move")
        except OSError as error:
            if error.errno in _DISK:
                raise
            stayed[src] = error
    # The new names must be durable before the old ones go, or a power cut could take both.
    fsync_dirs(dst.parent for _, dst in pairs)
    for src, dst, seen in doubled:
        try:
            _unlink_seen(src, seen)
        except OSError as error:
            unlink_all([dst])  # the file has changed, so the new name would hold an outdated copy
            stayed[src] = error
    fsync_dirs(src.parent for src, _ in pairs)
    return stayed


def finish_move(src: Path, dst: Path) -> bool:
    """Finishes a move that was killed while both names existed. Returns False and does nothing unless they
    are one inode or two equal files."""
    if not (is_regular(src) and is_regular(dst)):
        return False
    if not (os.path.samestat(src.lstat(), dst.lstat()) or filecmp.cmp(src, dst, shallow=False)):
        return False
    # The copy may not be on disk yet: the kill could have come before its fsync.
    fsync_file(dst)
    fsync_dir(dst.parent)
    unlink_all([src])
    return True


def own_copies(paths: Sequence[Path]) -> None:
    """Replaces each file by a copy with the same mtime. The copy belongs to this user and has no other name,
    so nobody else can still write to it. After a kill, each file is old or new."""
    temps: list[Path] = []
    try:
        temps += [_copy_temp(path, path.parent)[0] for path in paths]
        fsync_files(temps)
        for temp, path in zip(temps, paths, strict=True):
            temp.replace(path)
    finally:
        for temp in temps:
            temp.unlink(missing_ok=True)
    fsync_dirs(path.parent for path in paths)


def unlink_all(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink()
    fsync_dirs(p.parent for p in paths)


def fsync_dirs(folders: Iterable[Path]) -> None:
    for folder in dict.fromkeys(folders):
        fsync_dir(folder)


def link_new(src: Path, dst: Path) -> os.stat_result:
    """Gives `src` a second name, or makes a copy with its mtime where links are impossible. Returns the stat
    of `src`. The caller syncs the folder."""
    seen = src.lstat()
    try:
        os.link(src, dst, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return _copy_new(src, dst)
    return seen


def rename_dir_new(src: Path, dst: Path) -> None:
    """Renames a folder to a name that must be free. Raises FileExistsError, also for an empty folder or a
    dangling link: a plain rename would replace an empty folder.

    Without renameat2 there is a gap between check and rename. Callers hold their stream's lock, so nobody
    uses it.
    """
    if os.path.lexists(dst):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(dst))
    if not rename_noreplace(src, dst):
        src.rename(dst)
    fsync_dir(dst.parent)
    if src.parent != dst.parent:
        fsync_dir(src.parent)


def confine(root: Path, path: Path | str) -> Path:
    """`path` (relative to `root`, or absolute) if it lies below `root`. Raises UnsafePath for `..`, or for a
    link in any component below root."""
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
    """Removes a folder below `root` and everything in it. Links are removed, not followed. A missing folder
    is fine. Raises UnsafePath."""
    target = confine(root, path)
    if target == root:
        raise UnsafePath("the root itself is never removed", target)
    with suppress(FileNotFoundError):
        shutil.rmtree(target)  # noqa: TID251 - the one place: confined above, and rmtree works by descriptors, so no link is followed
        fsync_dir(target.parent)


def read_json(path: Path) -> Any:
    """The JSON value in a file. Raises FileNotFoundError, or ValueError when the bytes are not JSON."""
    return json.loads(path.read_bytes())


def to_json_bytes(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode(
        "utf-8", "backslashreplace"
    )


def is_regular(path: Path) -> bool:
    """Whether `path` is a regular file itself, not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


@contextmanager
def disk_errors(where: object) -> Iterator[None]:
    """Turns errors of a full or read-only disk inside the block into DiskFull or NotWritable. Other errors
    pass unchanged."""
    try:
        yield
    except OSError as error:
        place = error.filename or where
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                "no space left" if error.errno == errno.ENOSPC else "the disk quota is used up", place
            ) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR):
            raise NotWritable(f"cannot be written: {os.strerror(error.errno).lower()}", place) from error
        raise


def _write_temp(folder: Path, data: bytes | Iterable[bytes], mode: int = 0o666) -> Path:
    """Writes a temporary file with `data`, not synced yet. Leaves nothing when the disk is full."""
    # In the target's folder, because a rename is atomic only within one file system.
    temp = folder / f"{TEMP_PREFIX}{secrets.token_hex(8)}"
    try:
        with open(temp, "xb", opener=partial(os.open, mode=mode)) as file:
            file.writelines((data,) if isinstance(data, bytes) else data)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    return temp


def _copy_new(src: Path, dst: Path) -> os.stat_result:
    temp, seen = _copy_temp(src, dst.parent)
    try:
        fsync_file(temp)
        os.link(temp, dst, follow_symlinks=False)
    finally:
        temp.unlink()
    return seen


def _copy_temp(src: Path, folder: Path) -> tuple[Path, os.stat_result]:
    """A temporary copy with the mtime of `src`, not synced yet; and the stat of `src`. Leaves nothing when
    the disk is full."""
    temp = folder / f"{TEMP_PREFIX}{secrets.token_hex(8)}"
    try:
        # O_NONBLOCK: a pipe that took the name meanwhile must not block
        fd = os.open(src, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as source, temp.open("xb") as target:
            seen = os.fstat(fd)
            shutil.copyfileobj(source, target, COPY_BYTES)
            target.flush()
            os.utime(target.fileno(), ns=(seen.st_mtime_ns, seen.st_mtime_ns))
    except OSError:
        temp.unlink(missing_ok=True)
        raise
    return temp, seen


def _unlink_seen(src: Path, seen: os.stat_result) -> None:
    """Removes `src` if it is still the file that was linked or copied. Raises BlockingIOError when the file
    has changed since."""
    with suppress(FileNotFoundError):
        now = src.lstat()
        if not os.path.samestat(now, seen):
            return
        if (now.st_size, now.st_mtime_ns) != (seen.st_size, seen.st_mtime_ns):
            raise BlockingIOError(errno.EAGAIN, "changed while it was moved", str(src))
        src.unlink()
