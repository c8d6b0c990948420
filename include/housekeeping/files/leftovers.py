"""Finds and removes what killed programs leave: half-written batches in _staging, and temporary files.

None of it is data, because data lies under its final name. So it is removed without a journal, once nobody
can still be writing it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from include.settings import Settings
from include.state import lease
from jobs.contract.disk import storage
from jobs.contract.disk.layout import Layout

TORN_AGE_S = 86_400.0  # a day: a copy into entrada may take hours, but each write renews the file's time
# The names that jobs/contract/disk/storage.py gives. Any other hidden file belongs to somebody else.
_NAME = re.compile(re.escape(storage.TEMP_PREFIX) + "[0-9a-f]{16}")
_RUNS = 50  # the newest runs of each stream are searched; a run folder is written only while its run lasts
# Below data: the folders into which files are written or moved.
_TREES = ("entrada/*", "en_proceso/*", "cuarentena/*/ficheros", "archivo/*", "archivo/*/*")


@dataclass(frozen=True)
class Leftover:
    path: Path
    size_bytes: int


def staged(layout: Layout) -> dict[str, Leftover]:
    """Stream name -> its folder in _staging, if it holds a file."""
    folders = [path for path in sorted(_folders(layout.data / "_staging")) if any(_files(path))]
    return {path.name: Leftover(path, _size(path)) for path in folders}


def torn(layout: Layout, now: datetime) -> list[Leftover]:
    """Temporary files that nobody has written to for TORN_AGE_S."""
    return [left for left, age_s in _temporary(layout, now) if age_s >= TORN_AGE_S]


def clear_staging(settings: Settings, name: str, now: datetime) -> int:
    """Removes the stream's folder in _staging and returns the bytes freed. Raises LeaseHeld.

    It holds the stream's lease, so that nobody publishes meanwhile.
    """
    layout = settings.layout
    owner = lease.Owner(os.getpid(), "", now.isoformat(), "staging leftovers (housekeeping)")
    with lease.acquire(layout, name, owner), storage.disk_errors(layout.home):
        size = _size(layout.staging(name))
        storage.remove_tree(layout.data, layout.staging(name))
        return size


def remove(layout: Layout, files: Iterable[Leftover]) -> int:
    """Removes temporary files that `torn` found, if they are still there. Returns the bytes freed."""
    present = [left for left in files if _NAME.fullmatch(left.path.name) and storage.is_regular(left.path)]
    with storage.disk_errors(layout.home):
        storage.unlink_all([storage.confine(layout.home, left.path) for left in present])
    return sum(left.size_bytes for left in present)


def _temporary(layout: Layout, now: datetime) -> Iterator[tuple[Leftover, float]]:
    """(temporary file, seconds since it was last written to)."""
    for folder in _places(layout):
        for entry in os.scandir(folder):
            if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                seen = entry.stat(follow_symlinks=False)
                yield Leftover(Path(entry.path), seen.st_size), now.timestamp() - seen.st_mtime


def _places(layout: Layout) -> Iterator[Path]:
    for pattern in _TREES:
        paths = sorted(layout.data.glob(pattern))
        yield from (path for path in paths if path.is_dir() and not path.is_symlink())
    yield from _folders(layout.state / "generations")
    for stream in _folders(layout.home / "runs"):
        yield from islice(sorted(_folders(stream), reverse=True), _RUNS)


def _folders(path: Path) -> list[Path]:
    entries = path.iterdir() if path.is_dir() else ()
    return [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]


def _files(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        yield from (Path(root, name) for name in names)


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in _files(folder) if os.path.lexists(path))
