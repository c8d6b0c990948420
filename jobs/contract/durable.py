"""Spark never calls fsync: what a publish or an archive rests on is synced here, before the first step that relies on it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jobs.contract import checkpoint, storage


def make_durable(path: Path, batch: int, logs: Iterable[Path]) -> None:
    """Of the checkpoint at `path`: metadata, the offsets of `batch`, the newest commit and `logs` (files of the source log that are there),
    each with its .crc, and their folders up to data: Spark makes those, too. Raises OSError."""
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
