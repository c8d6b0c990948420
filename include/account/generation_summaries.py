"""Summarizes the generations of a stream, from the first to the current one: what readers see of each, and
what is gone. Read-only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from include.state import generations
from jobs.contract.commit import manifest
from jobs.contract.commit.manifest import canonical
from jobs.contract.disk.layout import Layout

State = Literal["current", "live", "retired"]


@dataclass(frozen=True)
class Summary:
    """`state`: readers see the current generation and the live ones. `start`: "earliest", or the first
    offsets as JSON. `batches`, `rows`: published and visible. `checkpoint`: whether it still exists.
    `operation`: what began the generation; empty for the first."""

    number: int
    state: State
    created: str
    start: str
    operation: str
    batches: int
    rows: int
    checkpoint: bool


def all_of(layout: Layout, stream: str) -> list[Summary]:
    """Oldest first; none before the first run. One pass over the manifests. Raises DataError for a record or
    manifest that cannot be read."""
    records = generations.records(layout, stream)
    live = generations.live(layout, stream)
    return [
        _summary(layout, g, "current" if g is records[-1] else "live" if g.number in live else "retired")
        for g in records
    ]


def _summary(layout: Layout, generation: generations.Generation, state: State) -> Summary:
    name, number = generation.stream, generation.number
    batches = [manifest.read(folder) for folder in manifest.published(layout.output(name, number)).values()]
    start = generation.start if isinstance(generation.start, str) else canonical(generation.start)
    rows = sum(m.rows_out for m in batches)
    return Summary(
        number,
        state,
        generation.created,
        start,
        generation.operation,
        len(batches),
        rows,
        layout.checkpoint(name, number).is_dir(),
    )
