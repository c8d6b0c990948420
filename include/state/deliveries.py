"""Deliveries that the verb reprocess has made: files of exact raw lines, `reproceso-<operation>-g0001-b000000007.json`. The journal knows each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from include.state import journal
from include.state.journal import Operation, Step
from jobs.contract.disk.layout import Layout, parse_generation
from jobs.contract.text import reprocessed

NAME = re.compile(r"reproceso-([0-9TZa-z-]{1,64})-g\d{4,}-b\d{9,}(-h\d+)?\.[a-z]+")


@dataclass(frozen=True)
class Delivery:
    """`generation`, `batch`: of the quarantine its records came from."""

    name: str
    operation: str
    generation: int
    batch: int

    def begins(self, path: Path) -> bool:
        """Whether the file at `path` begins as this delivery does: no other file has that first line."""
        with path.open("rb") as file:
            return file.read(reprocessed.ID_BYTES) == reprocessed.id_line(self.operation, self.name)


def name(operation: str, generation: int, batch: int, suffix: str, head: int = 0) -> str:
    """`head`: above 0 for a delivery of csv records that begins with their header; a number for each header of the batch."""
    return f"reproceso-{operation}-g{generation:04d}-b{batch:09d}{f'-h{head}' if head else ''}.{suffix}"


def of_name(layout: Layout, stream: str, wanted: str) -> Delivery | None:
    """The delivery of this name; None when the journal knows none."""
    match = NAME.fullmatch(wanted)
    steps = journal.steps(layout.journal(stream), match[1]) if match else []
    return next(
        (d for step in steps if (d := _of(match[1] if match else "", step)) and d.name == wanted), None
    )


def all_of(layout: Layout, stream: str) -> Iterator[Delivery]:
    """Every one that was ever made, oldest first."""
    path = layout.journal(stream)
    found: list[Operation] = journal.operations(path, "kind = 'reprocess'")
    return (
        d
        for operation in found
        for step in journal.steps(path, operation.id)
        if (d := _of(operation.id, step))
    )


def _of(operation: str, step: Step) -> Delivery | None:
    if step.verb != "deliver":
        return None
    generation = parse_generation(Path(step.source).parent.name)
    return Delivery(step.target.rpartition("/")[2], operation, generation or 0, step.batch)
