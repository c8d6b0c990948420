"""Syncs the parts of Spark's checkpoint that a publish or an archive relies on.

Spark never calls fsync. A power cut could take the plan of a batch and leave its output, and then Spark would
plan the same number again with other input. So these files are synced before the first step that relies on
them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from jobs.contract.commit import checkpoint
from jobs.contract.disk import storage


def make_durable(path: Path, batch: int, logs: Iterable[Path]) -> None:
    """Syncs metadata, the offsets of `batch`, the newest commit and `logs` of the checkpoint at `path`.

    `logs`: files of the source log; those that do not exist are left out. Each file is synced with its .crc,
    without which Hadoop would not read it. The parent folders are synced up to `data`, because Spark
    creates them without a sync. Raises OSError.
    """
    # The newest commit is that of the batch before this one. A later rewind to that batch needs it.
    commits = checkpoint.read(path).commits
    files = [path / "metadata", path / "offsets" / str(batch), *logs]
    files += [path / "commits" / str(commits[-1])] if commits else []
    for file in files:
        for path_ in (file, file.with_name(f".{file.name}.crc")):
            if path_.exists():
                storage.fsync_file(path_)
    # Names after contents: a name that a power cut keeps must never point to an empty file.
    for folder in {file.parent for file in files} | {path, path / "sources", *path.parents[:3]}:
        if folder.is_dir():
            storage.fsync_dir(folder)


def make_state_durable(path: Path, synced: dict[str, int]) -> None:
    """Syncs the files of a stateful query's state under the checkpoint at `path`. Raises OSError.

    `synced`: file name -> mtime of what was synced before; those files are skipped, and the new ones are
    added here. Spark writes each version of the state to new files, and removes old files at the same time.
    """
    touched: set[Path] = set()
    for folder, _, names in os.walk(path / "state"):
        fresh = [name for name in names if _is_fresh(f"{folder}/{name}", synced)]
        for name in fresh:
            with suppress(FileNotFoundError):
                storage.fsync_file(Path(folder, name))
        if fresh:
            touched |= {
                Path(folder),
                *(above for above in Path(folder).parents if above.is_relative_to(path)),
            }
    # Deepest first: a folder's name becomes durable only after the names inside it.
    for folder_ in sorted(touched, key=lambda place: len(place.parts), reverse=True):
        storage.fsync_dir(folder_)


def _is_fresh(file: str, synced: dict[str, int]) -> bool:
    try:
        changed = os.lstat(file).st_mtime_ns
    except FileNotFoundError:
        return False
    known, synced[file] = synced.get(file), changed
    return known != changed
