"""Finds admitted files in en_proceso, and those that are in no batch of Spark. Reads only."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jobs.contract.commit import checkpoint, protocol
from jobs.contract.disk import ledger
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import FilePassedOver


def names(layout: Layout, folder: str) -> list[str]:
    """Names of the admitted files in en_proceso, in no order; none for a stream without a folder."""
    place = layout.en_proceso(folder)
    if not folder or not place.is_dir():
        return []
    entries = os.listdir(place)  # noqa: PTH208 - 200,000 names, no Path of each
    return [name for name in entries if ledger.is_admitted(name)]


def unplanned(path: Path, names: Iterable[str]) -> set[str]:
    """Those of `names` that are in no planned batch of the checkpoint at `path`.

    A source log may have a million entries. So the newest files are read first, entry by entry, and reading
    stops when all names were met.
    """
    left = set(names)
    if not left:
        return left
    planned = int(position(path).get("logOffset", -1))
    for entry in checkpoint.all_entries(path, newest_first=True):
        if not protocol.is_unplanned(entry.log_offset, planned):
            left.discard(entry.name)
            if not left:
                break
    return left


def position(path: Path) -> dict[str, Any]:
    """The source's position in the newest offset; {} before the first."""
    newest = checkpoint.read(path).newest_offset
    return checkpoint.read_offset(path, newest).position if newest >= 0 else {}


def passed_over(layout: Layout, stream: str, folder: str, generation: int) -> FilePassedOver | None:
    """The error that names an admitted file without a batch; None when there is none.

    Call it at the end of a run, under its lease: then no file was admitted since the run's own intake, and
    Spark has listed the folder after it.
    """
    left = unplanned(layout.checkpoint(stream, generation), names(layout, folder))
    if not left:
        return None
    more = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
    what = f"admitted, but Spark has not listed it, so no batch has read it{more}"
    return FilePassedOver(what, layout.en_proceso(folder) / min(left))
