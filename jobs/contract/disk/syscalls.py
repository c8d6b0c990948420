"""Two Linux calls that Python does not offer: a rename that never overwrites, and a sync of one file
system."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from functools import cache
from pathlib import Path

from jobs.contract.disk import recording

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1


def rename_noreplace(src: Path, dst: Path) -> bool:
    """Renames `src` unless `dst` exists (FileExistsError). Returns False and does nothing where kernel, C
    library or file system has no such call, or where the target is on another device."""
    call = getattr(_libc(), "renameat2", None)
    if call is None:
        return False
    recording.leaving(src)
    if call(_AT_FDCWD, os.fsencode(src), _AT_FDCWD, os.fsencode(dst), _RENAME_NOREPLACE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.EXDEV):
        return False
    raise OSError(code, os.strerror(code), str(src), None, str(dst))


def syncfs(folder: Path) -> bool:
    """Syncs the file system of `folder`. Returns False where there is no such call. Raises OSError for write
    errors; Linux reports them since 5.8."""
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
    recording.synced_system(folder)
    return True


@cache
def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
