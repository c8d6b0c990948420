"""Every change on disk goes through here: write, link, move, rename, remove, each made durable before the
call returns.

A crash (kill -9 or power cut) inside a call leaves the old state, the new one, or both names of one file;
never half a file under a final name. A leftover of a killed write is a hidden `.tmp-…` beside its target,
which every reader ignores.
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
from pathlib import Path
from typing import Any

from jobs.contract.disk import failpoints, recording
from jobs.contract.disk.syscalls import rename_noreplace, syncfs
from jobs.contract.errors import DiskFull, NotWritable, UnsafePath

TEMP_PREFIX = ".tmp-"
COPY_BYTES = 1024 * 1024
SYNCFS_FROM = 32  # files; above it one syncfs is cheaper than an fsync each (500 small ones: 0.6 s by fsync)
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)  # the same for every file: no use in going on
_NO_LINK = (errno.EXDEV, errno.EPERM)  # another device; a file of another user (fs.protected_hardlinks)
recording.arm()  # inert but in a power cut test


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
    if len(paths) >= SYNCFS_FROM and len({p.lstat().st_dev for p in paths}) == 1 and syncfs(paths[0].parent):
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


def write_new(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Writes a file that must not exist. Raises FileExistsError and leaves the old one as it is."""
    temp = _write_temp(path.parent, data)
    try:
        fsync_file(temp)
        os.link(temp, path, follow_symlinks=False)
    finally:
        temp.unlink()
    fsync_dir(path.parent)


def replace(path: Path, data: bytes) -> None:
    """Writes a file whole, over an old one if there is one."""
    replace_all([(path, data)])


def replace_all(files: Sequence[tuple[Path, bytes]]) -> None:
    """As replace for each (path, data), with one flush for all. Killed half-way, each file is old or new."""
    temps: list[Path] = []
    try:
        for path, data in files:
            temps.append(_write_temp(path.parent, data))
        fsync_files(temps)
        for temp, (path, _) in zip(temps, files, strict=True):
            temp.replace(path)
    finally:
        for temp in temps:
            temp.unlink(missing_ok=True)
    fsync_dirs(path.parent for path, _ in files)


def move_new(src: Path, dst: Path) -> None:
    """Moves one file, never over another (FileExistsError).

    One atomic rename where kernel and file system have it. Elsewhere link + unlink, or copy + unlink across
    devices: killed half-way, both names exist, as one inode or two equal files. A new file that took the old
    name meanwhile is left alone.
    """
    for error in move_each_new([(src, dst)]).values():
        raise error


def move_each_new(pairs: Sequence[tuple[Path, Path]]) -> dict[Path, OSError]:
    """As move_new for each (source, target), with one fsync a folder. Returns the sources that stayed, with
    the reason; a full disk is raised."""
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
    fsync_dirs(dst.parent for _, dst in pairs)
    for src, dst, seen in doubled:
        try:
            _unlink_seen(src, seen)
        except OSError as error:
            unlink_all([dst])
            stayed[src] = error
    fsync_dirs(src.parent for src, _ in pairs)
    return stayed


def finish_move(src: Path, dst: Path) -> bool:
    """Ends a move that was killed with both names there: one inode, or two equal files. False, and nothing
    done, when they are neither."""
    if not (is_regular(src) and is_regular(dst)):
        return False
    if not (os.path.samestat(src.lstat(), dst.lstat()) or filecmp.cmp(src, dst, shallow=False)):
        return False
    fsync_file(dst)
    fsync_dir(dst.parent)
    unlink_all([src])
    return True


def own_copies(paths: Sequence[Path]) -> None:
    """Puts a copy in place of each file, with its mtime: this user's, and under no other name. Killed
    half-way, each is old or new."""
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
    """A second name for `src`, or a whole copy (with its mtime) where no link can be made; returns what `src`
    was. The caller flushes the folder."""
    seen = src.lstat()
    try:
        os.link(src, dst, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return _copy_new(src, dst)
    return seen


def rename_dir_new(src: Path, dst: Path) -> None:
    """Renames a folder onto a name that must be free (FileExistsError), even of an empty folder or a dangling
    link.

    Where the kernel has no renameat2 the check comes before the rename: callers hold their stream's lock
    anyway.
    """
    if os.path.lexists(dst):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(dst))
    if not rename_noreplace(src, dst):
        src.rename(dst)
    fsync_dir(dst.parent)
    if src.parent != dst.parent:
        fsync_dir(src.parent)


def confine(root: Path, path: Path | str) -> Path:
    """`path` (relative ones count from `root`) if it lies below `root`. Raises UnsafePath for `..` or a link
    in any component below root."""
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
    """Removes a folder below `root` with all in it; links in it are removed, not followed. Raises UnsafePath;
    a missing one is done already."""
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
    return (json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode(
        "utf-8", "backslashreplace"
    )


def is_regular(path: Path) -> bool:
    """A regular file itself, not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


@contextmanager
def disk_errors(where: object) -> Iterator[None]:
    """Turns a full or read-only disk inside the block into DiskFull or NotWritable; other errors pass as they
    are."""
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


def _write_temp(folder: Path, data: bytes | Iterable[bytes]) -> Path:
    """A temporary file holding `data`, not flushed yet; nothing is left when the disk is full."""
    temp = folder / f"{TEMP_PREFIX}{secrets.token_hex(8)}"
    try:
        with temp.open("xb") as file:
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
    """A temporary copy with the mtime of `src`, not flushed yet, and what `src` was; nothing is left when the
    disk is full."""
    temp = folder / f"{TEMP_PREFIX}{secrets.token_hex(8)}"
    try:
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
    """Removes `src` if it is still the file that was linked or copied. Raises BlockingIOError when that has
    changed since."""
    with suppress(FileNotFoundError):
        now = src.lstat()
        if not os.path.samestat(now, seen):
            return
        if (now.st_size, now.st_mtime_ns) != (seen.st_size, seen.st_mtime_ns):
            raise BlockingIOError(errno.EAGAIN, "changed while it was moved", str(src))
        src.unlink()
