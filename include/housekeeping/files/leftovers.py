"""What killed programs leave that nobody reads: half-written batches in _staging, temporary files beside their targets.

None of it is data: what counts lies under its final name. So it is removed without a journal, where nobody can be writing it any more.
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

TORN_AGE_S = 86_400.0  # a copy into entrada may take hours, but each piece of it gives the file a new time
_NAME = re.compile(
    re.escape(storage.TEMP_PREFIX) + "[0-9a-f]{16}"
)  # as storage makes them; any other hidden file is somebody's own
_RUNS = 50  # newest runs of a stream that are looked at
_TREES = (
    "entrada/*",
    "en_proceso/*",
    "cuarentena/*/ficheros",
    "archivo/*",
    "archivo/*/*",
)  # below data: where files are written or moved to


@dataclass(frozen=True)
class Leftover:
    path: Path
    size_bytes: int


def staged(layout: Layout) -> dict[str, Leftover]:
    """Stream name -> what stands in its _staging, for those that hold a file."""
    folder = layout.data / "_staging"
    found = {path.name: Leftover(path, _size(path)) for path in sorted(_folders(folder))}
    return {name: left for name, left in found.items() if any(_files(left.path))}


def torn(layout: Layout, now: datetime) -> list[Leftover]:
    """Temporary files untouched for TORN_AGE_S: whoever wrote them is gone."""
    return [left for left, age_s in _temporary(layout, now) if age_s >= TORN_AGE_S]


def clear_staging(settings: Settings, name: str, now: datetime) -> int:
    """Removes what `name` has in _staging, under its lease, so that nobody publishes meanwhile; bytes freed. Raises LeaseHeld."""
    layout = settings.layout
    owner = lease.Owner(os.getpid(), "", now.isoformat(), "staging leftovers (housekeeping)")
    with lease.acquire(layout, name, owner), storage.disk_errors(layout.home):
        size = _size(layout.staging(name))
        storage.remove_tree(layout.data, layout.staging(name))
        return size


def remove(layout: Layout, found: Iterable[Leftover]) -> int:
    """Removes temporary files that `torn` found; bytes freed. One that is gone meanwhile is no fault."""
    paths = [left for left in found if _NAME.fullmatch(left.path.name) and storage.is_regular(left.path)]
    with storage.disk_errors(layout.home):
        storage.unlink_all([storage.confine(layout.home, left.path) for left in paths])
    return sum(left.size_bytes for left in paths)


def _temporary(layout: Layout, now: datetime) -> Iterator[tuple[Leftover, float]]:
    for folder in _places(layout):
        for entry in os.scandir(folder):
            if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                seen = entry.stat(follow_symlinks=False)
                yield Leftover(Path(entry.path), seen.st_size), now.timestamp() - seen.st_mtime


def _places(layout: Layout) -> Iterator[Path]:
    for pattern in _TREES:
        yield from (
            path for path in sorted(layout.data.glob(pattern)) if path.is_dir() and not path.is_symlink()
        )
    yield from _folders(layout.state / "generations")
    for stream in _folders(layout.home / "runs"):
        yield from islice(sorted(_folders(stream), reverse=True), _RUNS)


def _folders(path: Path) -> list[Path]:
    return (
        [entry for entry in path.iterdir() if entry.is_dir() and not entry.is_symlink()]
        if path.is_dir()
        else []
    )


def _files(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        yield from (Path(root, name) for name in names)


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in _files(folder) if os.path.lexists(path))
