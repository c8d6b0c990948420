"""Spark never calls fsync: what a publish or an archive rests on is synced here, before the first step that
relies on it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from jobs.contract.commit import checkpoint
from jobs.contract.disk import storage


def make_durable(path: Path, batch: int, logs: Iterable[Path]) -> None:
    """Of the checkpoint at `path`: metadata, the offsets of `batch`, the newest commit and `logs` (files of
    the source log that are there), each with its .crc, and their folders up to data: Spark makes those, too.
    Raises OSError."""
    commits = checkpoint.read(path).commits
    files = [path / "metadata", path / "offsets" / str(batch), *logs]
    files += [path / "commits" / str(commits[-1])] if commits else []
    for file in files:
        for one in (file, file.with_name(f".{file.name}.crc")):
            if one.exists():
                storage.fsync_file(one)
    for folder in {file.parent for file in files} | {path, path / "sources", *path.parents[:3]}:
        if folder.is_dir():
            storage.fsync_dir(folder)


def make_state_durable(path: Path, synced: dict[str, int]) -> None:
    """The state under the checkpoint at `path`, but for files that `synced` (name -> mtime, kept up here)
    holds as they are. Spark writes each version of the state to files of their own, and removes old ones
    meanwhile. Raises OSError."""
    touched: set[Path] = set()
    for folder, _, names in os.walk(path / "state"):
        fresh = [name for name in names if _is_fresh(f"{folder}/{name}", synced)]
        for name in fresh:
            with suppress(FileNotFoundError):
                storage.fsync_file(Path(folder, name))
        if fresh:
            touched |= {Path(folder), *(one for one in Path(folder).parents if one.is_relative_to(path))}
    for one in sorted(touched, key=lambda place: len(place.parts), reverse=True):
        storage.fsync_dir(one)


def _is_fresh(file: str, synced: dict[str, int]) -> bool:
    try:
        changed = os.lstat(file).st_mtime_ns
    except FileNotFoundError:
        return False
    known, synced[file] = synced.get(file), changed
    return known != changed
