"""Where an archived file lies: archivo/F/<UTC day of admission>/<admitted name>, so the ledger alone tells it; the journal knows the rest."""

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
class Record:
    """One finished move into archivo, as the journal has it. `batch`: -1 when nothing told it then."""

    name: str
    path: Path
    generation: int
    batch: int


def day(entry: Entry) -> str:
    """UTC day of admission, `2026-11-23`. Raises ValueError when the ledger's time is none."""
    return datetime.fromisoformat(entry.admitted_at).astimezone(UTC).date().isoformat()


def target(layout: Layout, folder: str, entry: Entry) -> Path:
    """Where `entry` belongs once archived. Raises ValueError as `day`."""
    return layout.archivo(folder) / day(entry) / entry.name


def locate(layout: Layout, stream: str, folder: str, entry: Entry) -> Path | None:
    """Where it lies in archivo: the place by its day, by the journal, then each day's folder (put there by hand). None when it does not.

    Cost: a few look-ups, however many files were ever archived.
    """
    return next((path for path in _places(layout, stream, folder, entry) if storage.is_regular(path)), None)


def _places(layout: Layout, stream: str, folder: str, entry: Entry) -> Iterator[Path]:
    with suppress(ValueError):
        yield target(layout, folder, entry)
    if found := record(layout, stream, folder, entry.name):
        yield found.path
    root = layout.archivo(folder)
    if root.is_dir():
        with os.scandir(root) as days:
            yield from sorted(Path(one.path, entry.name) for one in days if one.is_dir(follow_symlinks=False))


def record(layout: Layout, stream: str, folder: str, name: str) -> Record | None:
    """The newest finished archiving of the admitted file `name`; None when the journal knows of none."""
    source = str((layout.en_proceso(folder) / name).relative_to(layout.home))
    return next(_records(layout, stream, "source = ?", source), None)


def of_batch(layout: Layout, stream: str, generation: int, batch: int) -> list[Record]:
    """Files of one batch that were ever archived, by name; of one archived twice the newest time."""
    found: dict[str, Record] = {}
    for one in _records(layout, stream, "generation = ? AND batch = ?", generation, batch):
        found.setdefault(one.name, one)
    return [found[name] for name in sorted(found)]


def _records(layout: Layout, stream: str, where: str, *values: object) -> Iterator[Record]:
    """Newest operation first."""
    root = f"{(layout.data / 'archivo').relative_to(layout.home)}/"
    for operation, step in journal.moves(layout.journal(stream), _KINDS, where, values):
        if step.target.startswith(root):
            yield Record(
                step.target.rpartition("/")[2], layout.home / step.target, operation.generation, step.batch
            )
