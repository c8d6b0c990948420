"""Generations: a checkpoint and the output that belongs to it. One exists once its record is renamed into place and synced."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from jobs.contract import storage
from jobs.contract.errors import DataError
from jobs.contract.layout import Layout, parse_generation

VERSION = 1
EARLIEST = "earliest"


@dataclass(frozen=True)
class Generation:
    """`start`: for Kafka "earliest" or {topic: {partition: first offset}}, empty for files; `topic_ids`: topic -> the broker's id for it."""

    stream: str
    number: int
    predecessor: int
    start: str | dict[str, dict[str, int]]
    topic_ids: dict[str, str]
    created: str
    version: int = VERSION


def current(layout: Layout, stream: str) -> Generation | None:
    """The newest generation; None before the stream's first run. Raises DataError for a record that cannot be read."""
    folder = layout.state / "generations" / stream
    names = [p.stem for p in folder.iterdir()] if folder.is_dir() else []
    numbers = [n for name in names if (n := parse_generation(name)) is not None]
    return _read(layout, stream, max(numbers)) if numbers else None


def begin(layout: Layout, generation: Generation) -> Generation:
    """Makes `generation` exist. Never overwrites a record."""
    path = layout.generation_record(generation.stream, generation.number)
    storage.make_dirs(path.parent)
    storage.write_new(path, (json.dumps(asdict(generation), indent=1) + "\n").encode())
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
