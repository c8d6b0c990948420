"""The generations of a stream, from first to current: what readers see of each, what has gone. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from include.state import generations
from jobs.contract.commit import manifest
from jobs.contract.commit.manifest import canonical
from jobs.contract.disk.layout import Layout

State = Literal["current", "live", "retired"]


@dataclass(frozen=True)
class Life:
    """`state`: live ones and the current one are what readers see. `start`: "earliest", or the first offsets as JSON. `batches`, `rows`:
    published and in sight. `checkpoint`: whether it is still there. `operation`: what began it; empty for the first."""

    number: int
    state: State
    created: str
    start: str
    operation: str
    batches: int
    rows: int
    checkpoint: bool


def all_of(layout: Layout, stream: str) -> list[Life]:
    """Oldest first; none before the first run. One pass over the manifests. Raises DataError for a record or manifest that cannot be read."""
    found = generations.records(layout, stream)
    live = generations.live(layout, stream)
    return [
        _life(layout, g, "current" if g is found[-1] else "live" if g.number in live else "retired")
        for g in found
    ]


def _life(layout: Layout, generation: generations.Generation, state: State) -> Life:
    name, number = generation.stream, generation.number
    batches = [manifest.read(folder) for folder in manifest.published(layout.output(name, number)).values()]
    start = generation.start if isinstance(generation.start, str) else canonical(generation.start)
    rows = sum(m.rows_out for m in batches)
    return Life(
        number,
        state,
        generation.created,
        start,
        generation.operation,
        len(batches),
        rows,
        layout.checkpoint(name, number).is_dir(),
    )
