"""What an operation would do, read-only: every step in the order of doing, what is left where it is and why, and the way back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from include.state.journal import Kind, Operation, Step


@dataclass(frozen=True)
class Kept:
    """Something the operation leaves alone. `path` is relative to the home; `wrong`: not as it should be, a person must look."""

    path: str
    reason: str
    wrong: bool = False


@dataclass(frozen=True)
class Plan:
    """Made by a `plan_x`, taken by `apply`.

    `id`: sortable, as a run id; folders made for this operation carry it. `options`: what the planner was asked, so that apply can ask again.
    `planned`: when, ISO 8601. `summary`: sentences for a person. `way_back`: the command that takes it back, or why there is none.
    """

    id: str
    stream: str
    kind: Kind
    generation: int
    steps: tuple[Step, ...]
    summary: tuple[str, ...]
    way_back: str
    kept: tuple[Kept, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    planned: str = ""

    @property
    def digest(self) -> str:
        """Equal for plans that do the same: over everything but the id and the time of planning, which stands in a generation's record."""
        found = hashlib.sha256(f"{self.stream} {self.kind} {self.generation}".encode())
        for step in self.steps:  # one at a time: a plan may move 200,000 files
            text = json.dumps(step.values()).replace(self.id, "")
            found.update((text.replace(self.planned, "") if self.planned else text).encode())
        return found.hexdigest()

    @property
    def size_bytes(self) -> int:
        return sum(step.size_bytes for step in self.steps)

    def operation(self, begun: str, detail: Mapping[str, Any] | None = None) -> Operation:
        return Operation(
            self.id,
            self.kind,
            self.generation,
            begun,
            {"summary": list(self.summary), **self.options, **(detail or {})},
        )

    def to_json(self) -> dict[str, Any]:
        """For `--json`, XCom and the asset event; steps are counted, the first ones shown."""
        shown = [
            {"verb": s.verb, "source": s.source, "target": s.target, "size_bytes": s.size_bytes}
            for s in self.steps[:SHOWN]
        ]
        return {
            "id": self.id,
            "stream": self.stream,
            "kind": self.kind,
            "generation": self.generation,
            "summary": list(self.summary),
            "steps": len(self.steps),
            "bytes": self.size_bytes,
            "first_steps": shown,
            "kept": [asdict(k) for k in self.kept[:SHOWN]],
            "way_back": self.way_back,
            "digest": self.digest,
        }


SHOWN = 20
COLUMNS = ("stage", "does", "what", "to", "bytes")


def listed(steps: Sequence[Step], every: bool = False) -> list[tuple[str, str, str, str, int]]:
    """Rows of COLUMNS: a step each, or, of more than SHOWN, one for all steps from one folder to another, so that no kind of step is left out."""
    if every or len(steps) <= SHOWN:
        return [(str(s.stage), s.verb, s.source or "-", s.target or "-", s.size_bytes) for s in steps]
    groups: dict[tuple[str, str, str], list[Step]] = {}
    for step in steps:
        groups.setdefault(
            (step.verb, step.source.rpartition("/")[0], step.target.rpartition("/")[0]), []
        ).append(step)
    return [_together(source, target, found) for (_, source, target), found in groups.items()]


def _together(source: str, target: str, steps: Sequence[Step]) -> tuple[str, str, str, str, int]:
    if len(steps) == 1:
        return listed(steps)[0]
    first, last = steps[0].stage, steps[-1].stage
    stages = str(first) if first == last else f"{first}-{last}"
    size_bytes = sum(step.size_bytes for step in steps)
    return (
        stages,
        steps[0].verb,
        f"{len(steps):,} of {source or target}/",
        f"{target}/" if target else "-",
        size_bytes,
    )
