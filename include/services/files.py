"""Small files, never half written: a temporary name in the same folder, then a rename."""

from __future__ import annotations

import os
from pathlib import Path

from jobs.contract.disk import storage


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Replaces `path` by `text`, with the mode from the first byte on. Raises DiskFull, NotWritable; then the old text is there, and nothing else."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with storage.disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        try:
            _fill(temporary, text, mode)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


def _fill(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def tail(path: Path, limit_bytes: int = 65536) -> list[str]:
    """The last lines of a log, at most `limit_bytes` of it; none when there is no such file."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - limit_bytes))
            return stream.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
