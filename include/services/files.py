"""Small files of a home: state that is replaced whole, and the end of a log."""

from __future__ import annotations

from pathlib import Path

from jobs.contract.disk import storage


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Replaces the whole file; its folder is made. Raises DiskFull or NotWritable, and then the old text is
    still there."""
    with storage.disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        storage.replace(path, text.encode(), mode)


def tail(path: Path, limit_bytes: int = 65536) -> list[str]:
    """The lines in the last `limit_bytes` of a log; none if there is no such file."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - limit_bytes))
            return stream.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
