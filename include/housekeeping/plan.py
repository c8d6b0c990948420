"""A plan: the steps of an operation in order, what stays where it is and why, and how to take it back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from include.state.journal import Kind, Operation, Step


@dataclass(frozen=True)
class Kept:
    """Something that the operation leaves where it is. `path` is relative to the home.

    `wrong`: it is not as it should be, and a person must look at it.
    """

    path: str
    reason: str
    wrong: bool = False


@dataclass(frozen=True)
class Plan:
    """What an operation will do. A planner makes it, and `apply` takes it.

    `id`: sortable like a run id; the operation's folder in retirado has this name.
    `summary`: sentences for a person. `way_back`: the command that takes it back, or why there is none.
    `options`: the planner's arguments, so that the same plan can be made again.
    `planned`: when, ISO 8601.
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
        """Equal for plans that do the same. The id and the time of planning, which is also in a generation's
        record, are left out."""
        digest = hashlib.sha256(f"{self.stream} {self.kind} {self.generation}".encode())
        for step in self.steps:  # one at a time: a plan may move 200,000 files
            text = json.dumps(step.values()).replace(self.id, "")
            digest.update((text.replace(self.planned, "") if self.planned else text).encode())
        return digest.hexdigest()

    @property
    def size_bytes(self) -> int:
        return sum(step.size_bytes for step in self.steps)

    def operation(self, begun: str, detail: Mapping[str, Any] | None = None) -> Operation:
        about = {"summary": list(self.summary), **self.options, **(detail or {})}
        return Operation(self.id, self.kind, self.generation, begun, about)

    def to_json(self) -> dict[str, Any]:
        """For `--json`, XCom and the asset event: the number of steps, and the first of them."""
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


SHOWN = 20  # steps and kept paths: what fits on one screen
COLUMNS = ("stage", "does", "what", "to", "bytes")


def listed(steps: Sequence[Step], every: bool = False) -> list[tuple[str, str, str, str, int]]:
    """Rows of COLUMNS, one for each step.

    If there are more than SHOWN steps and not `every` is asked for, one row stands for all steps from one
    folder to another, so that each kind of step is seen.
    """
    if every or len(steps) <= SHOWN:
        return [(str(s.stage), s.verb, s.source or "-", s.target or "-", s.size_bytes) for s in steps]
    groups: dict[tuple[str, str, str], list[Step]] = {}
    for step in steps:
        folders = step.source.rpartition("/")[0], step.target.rpartition("/")[0]
        groups.setdefault((step.verb, *folders), []).append(step)
    return [_together(source, target, group) for (_, source, target), group in groups.items()]


def _together(source: str, target: str, steps: Sequence[Step]) -> tuple[str, str, str, str, int]:
    if len(steps) == 1:
        return listed(steps)[0]
    first, last = steps[0].stage, steps[-1].stage
    stages = str(first) if first == last else f"{first}-{last}"
    size_bytes = sum(step.size_bytes for step in steps)
    what, to = f"{len(steps):,} of {source or target}/", f"{target}/" if target else "-"
    return stages, steps[0].verb, what, to, size_bytes
