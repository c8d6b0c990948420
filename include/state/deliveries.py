"""Deliveries that the verb reprocess has made: files of exact raw lines.

Their names look like `reproceso-<operation>-g0001-b000000007.json`, and the journal has a step for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from include.state import journal
from include.state.journal import Step
from jobs.contract.disk.layout import Layout, parse_generation
from jobs.contract.text import reprocessed

NAME = re.compile(r"reproceso-([0-9TZa-z-]{1,64})-g\d{4,}-b\d{9,}(-h\d+)?\.[a-z]+")


@dataclass(frozen=True)
class Delivery:
    """`generation`, `batch`: those in whose quarantine the records lay."""

    name: str
    operation: str
    generation: int
    batch: int

    def begins(self, path: Path) -> bool:
        """Whether the file at `path` has this delivery's first line, which no other file has."""
        with path.open("rb") as file:
            return file.read(reprocessed.ID_BYTES) == reprocessed.id_line(self.operation, self.name)


def name(operation: str, generation: int, batch: int, suffix: str, head: int = 0) -> str:
    """The name of a delivery.

    `head`: 0, or the number of the batch's csv header with which the delivery begins, from 1 on.
    """
    header = f"-h{head}" if head else ""
    return f"reproceso-{operation}-g{generation:04d}-b{batch:09d}{header}.{suffix}"


def of_name(layout: Layout, stream: str, wanted: str) -> Delivery | None:
    """The delivery of this name; None if the journal has none."""
    match = NAME.fullmatch(wanted)
    if match is None:
        return None
    made = (_of(match[1], step) for step in journal.steps(layout.journal(stream), match[1]))
    return next((delivery for delivery in made if delivery and delivery.name == wanted), None)


def all_of(layout: Layout, stream: str) -> Iterator[Delivery]:
    """Every delivery that was ever made, oldest first."""
    path = layout.journal(stream)
    for operation in journal.operations(path, "kind = 'reprocess'"):
        for step in journal.steps(path, operation.id):
            if delivery := _of(operation.id, step):
                yield delivery


def _of(operation: str, step: Step) -> Delivery | None:
    if step.verb != "deliver":
        return None
    generation = parse_generation(Path(step.source).parent.name)
    return Delivery(step.target.rpartition("/")[2], operation, generation or 0, step.batch)
