"""Keeps the mtimes of published batches ascending, even if the clock is set back.

Spark's file source reads files in the order of their mtimes. A stream that reads published batches must read
them in the order in which they were published.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from jobs.contract.commit import manifest
from jobs.contract.disk.layout import batch_name, parse_batch, parse_generation

_STEP_NS = 1_000_000  # Spark compares milliseconds, so a smaller step would make two batches equally old


def keep_ascending(staged: Path, target: Path) -> None:
    """Gives each file in `staged` an mtime later than those of the batch before `target`, unless it has one
    already.

    `target`: the name that `staged` will get. Times are not synced here: `sinks.seal` syncs each file
    afterwards.
    """
    before = max((_mtime_ns(file) for file in _files(_batch_before(target))), default=0)
    for file in _files(staged):
        if _mtime_ns(file) < before + _STEP_NS:
            os.utime(file, ns=(before + _STEP_NS, before + _STEP_NS))


def _batch_before(target: Path) -> Path | None:
    """The newest batch before `target` that has files: of its generation, else of the live generation before
    it."""
    number = parse_batch(target.name) or 0
    if number and (near := target.with_name(batch_name(number - 1))).is_dir():
        return near
    for output in (target.parent, *_older(target.parent)):
        published = manifest.published(output)
        earlier = [folder for batch, folder in published.items() if output != target.parent or batch < number]
        if earlier:
            return earlier[-1]
    return None


def _older(output: Path) -> Iterator[Path]:
    mine = parse_generation(output.name) or 0
    numbers = (
        {n: entry for entry in output.parent.iterdir() if (n := parse_generation(entry.name)) is not None}
        if output.parent.is_dir()
        else {}
    )
    yield from (numbers[n] for n in sorted(numbers, reverse=True) if n < mine)


def _files(folder: Path | None) -> list[Path]:
    return [file for file in folder.iterdir() if file.name.startswith("part-")] if folder else []


def _mtime_ns(file: Path) -> int:
    return file.stat().st_mtime_ns
