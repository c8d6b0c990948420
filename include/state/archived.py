"""Finds archived files.

They lie in archivo/F/<UTC day of admission>/<admitted name>, so the ledger tells the place. The journal tells
which batch and generation read them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from include.state import journal
from jobs.contract.disk import storage
from jobs.contract.disk.layout import Layout
from jobs.contract.disk.ledger import Entry

_KINDS: tuple[journal.Kind, ...] = ("archive", "rollover")  # the operations that move files into archivo


@dataclass(frozen=True)
class ArchivedFile:
    """One finished move into archivo, from the journal. `batch`: -1 if it was unknown at that time."""

    name: str
    path: Path
    generation: int
    batch: int


def day(entry: Entry) -> str:
    """UTC day of admission, `2026-11-23`. Raises ValueError when the ledger's time cannot be read."""
    return datetime.fromisoformat(entry.admitted_at).astimezone(UTC).date().isoformat()


def target(layout: Layout, folder: str, entry: Entry) -> Path:
    """Where `entry` belongs once archived. Raises ValueError as `day`."""
    return layout.archivo(folder) / day(entry) / entry.name


def locate(layout: Layout, stream: str, folder: str, entry: Entry) -> Path | None:
    """Where the file lies in archivo; None if it does not.

    It looks at the place by day of admission, then where the journal says, then in each day's folder, where a
    person may have put it. That is a few look-ups, however many files were archived.
    """
    return next((path for path in _places(layout, stream, folder, entry) if storage.is_regular(path)), None)


def _places(layout: Layout, stream: str, folder: str, entry: Entry) -> Iterator[Path]:
    with suppress(ValueError):
        yield target(layout, folder, entry)
    if file := newest(layout, stream, folder, entry.name):
        yield file.path
    root = layout.archivo(folder)
    if root.is_dir():
        with os.scandir(root) as days:
            folders = [Path(day.path) for day in days if day.is_dir(follow_symlinks=False)]
        yield from (day / entry.name for day in sorted(folders))


def newest(layout: Layout, stream: str, folder: str, name: str) -> ArchivedFile | None:
    """The newest finished archiving of the admitted file `name`; None if the journal has none."""
    source = str((layout.en_proceso(folder) / name).relative_to(layout.home))
    return next(_files(layout, stream, "source = ?", source), None)


def of_batch(layout: Layout, stream: str, generation: int, batch: int) -> list[ArchivedFile]:
    """Files of one batch that were ever archived, by name. If one was archived twice, its newest move."""
    by_name: dict[str, ArchivedFile] = {}
    for file in _files(layout, stream, "generation = ? AND batch = ?", generation, batch):
        by_name.setdefault(file.name, file)
    return [by_name[name] for name in sorted(by_name)]


def _files(layout: Layout, stream: str, where: str, *values: object) -> Iterator[ArchivedFile]:
    """Newest operation first."""
    root = f"{(layout.data / 'archivo').relative_to(layout.home)}/"
    for operation, step in journal.moves(layout.journal(stream), _KINDS, where, values):
        if step.target.startswith(root):
            path = layout.home / step.target
            yield ArchivedFile(path.name, path, operation.generation, step.batch)
