"""Generations: each is a checkpoint and the output that belongs to it.

A generation exists once its record is renamed into place and synced.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jobs.contract.disk import storage
from jobs.contract.disk.layout import Layout, generation_name, parse_generation
from jobs.contract.errors import DataError, PairingBroken

VERSION = 1
EARLIEST = "earliest"


@dataclass(frozen=True)
class Generation:
    """The record of a generation.

    `start`: for Kafka "earliest" or {topic: {partition: first offset}}; empty for files. `topic_ids`: topic
    -> the id that the broker gave it. `created`: UTC, ISO 8601. `operation`: id of the rollover or reset that
    began it; empty for a stream's first generation.
    """

    stream: str
    number: int
    predecessor: int
    start: str | dict[str, dict[str, int]]
    topic_ids: dict[str, str]
    created: str
    version: int = VERSION
    operation: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"


def current(layout: Layout, stream: str) -> Generation | None:
    """The newest generation; None before the first run. Raises DataError for an unreadable record."""
    recorded = numbers(layout, stream)
    return _read(layout, stream, recorded[-1]) if recorded else None


def records(layout: Layout, stream: str) -> list[Generation]:
    """All generations, also retired ones, oldest first. Raises DataError for an unreadable record."""
    return [_read(layout, stream, number) for number in numbers(layout, stream)]


def numbers(layout: Layout, stream: str) -> list[int]:
    """Numbers of the generations that have a record, ascending."""
    folder = layout.generation_record(stream, 1).parent
    names = [p.stem for p in folder.iterdir() if p.suffix == ".json"] if folder.is_dir() else []
    return sorted(n for name in names if (n := parse_generation(name)) is not None)


def live(layout: Layout, stream: str) -> list[int]:
    """Numbers of the generations whose output readers see, ascending."""
    return folders(layout.salida(stream))


def folders(parent: Path) -> list[int]:
    """Numbers of the `gen=…` folders in `parent`, ascending; none if `parent` is missing."""
    entries = parent.iterdir() if parent.is_dir() else ()
    names = [entry.name for entry in entries if entry.is_dir() and not entry.is_symlink()]
    return sorted(n for name in names if (n := parse_generation(name)) is not None)


def require_recorded(layout: Layout, stream: str) -> None:
    """Raises PairingBroken when a generation has folders but no record.

    A run would go on with an older generation, and read again what the newer one has published.
    """
    newest = max([1, *numbers(layout, stream)])
    for parent in (layout.checkpoints(stream), layout.salida(stream)):
        for number in folders(parent):
            if number > newest:
                what = (
                    f"generation {number} is there, but its record is lost; "
                    f"going on with {newest} would read its input again"
                )
                record = layout.generation_record(stream, number)
                cli = f"bring back {record}, or move the folder out of the home"
                raise PairingBroken(what, parent / generation_name(number), cli=cli)


def begin(layout: Layout, generation: Generation) -> Generation:
    """Makes `generation` exist. It never overwrites a record."""
    path = layout.generation_record(generation.stream, generation.number)
    storage.make_dirs(path.parent)
    storage.write_new(path, generation.to_json().encode())
    return generation


def _read(layout: Layout, stream: str, number: int) -> Generation:
    path = layout.generation_record(stream, number)
    try:
        raw: dict[str, Any] = json.loads(path.read_bytes())
        if raw["version"] != VERSION:
            raise DataError(f"generation record version {raw['version']} is not {VERSION}", path)
        return Generation(**raw)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"unreadable generation record ({type(error).__name__}: {error})", path) from error
