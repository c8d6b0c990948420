"""Removes run folders (spec, report, driver's log) that are older than the row's `runs_days`.

A stream that runs every five minutes makes 288 of them a day. What matters in them is also in manifests and
commits. The newest ones always stay, because the next run reads there which batches are already reported.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from include.settings import Settings
from jobs.contract.disk import storage
from jobs.contract.disk.layout import Layout
from jobs.contract.run import spec
from jobs.contract.stream import Upkeep

KEPT = 50  # newest run folders, whatever their age


def past(layout: Layout, name: str, upkeep: Upkeep, now: datetime) -> list[Path]:
    """Folders of runs that began more than `runs_days` ago, oldest first; never one of the KEPT newest."""
    runs = layout.runs(name)
    if upkeep.runs_days is None or not runs.is_dir():
        return []
    limit = spec.new_run_id(now - timedelta(days=upkeep.runs_days)).partition("-")[0]
    ids = sorted(
        entry.name
        for entry in os.scandir(runs)
        if spec.is_run_id(entry.name) and entry.is_dir(follow_symlinks=False)
    )
    return [runs / run_id for run_id in ids[:-KEPT] if run_id < limit]


def size(folders: list[Path]) -> int:
    """Bytes."""
    entries = (entry for folder in folders for entry in os.scandir(folder))
    return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)


def remove(settings: Settings, folders: list[Path]) -> int:
    """Bytes freed. Raises UnsafePath, NotWritable."""
    freed = size(folders)
    with storage.disk_errors(settings.home):
        for folder in folders:
            storage.remove_tree(settings.home, folder)
    return freed
