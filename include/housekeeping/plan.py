"""What an operation would do, read-only: every step in the order of doing, what is left where it is and why, and the way back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from jobs.contract.journal import Kind, Operation, Step


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
        return Operation(self.id, self.kind, self.generation, begun, {"summary": list(self.summary), **self.options, **(detail or {})})

    def to_json(self) -> dict[str, Any]:
        """For `--json`, XCom and the asset event; steps are counted, the first ones shown."""
        shown = [{"verb": s.verb, "source": s.source, "target": s.target, "size_bytes": s.size_bytes} for s in self.steps[:SHOWN]]
        return {
            "id": self.id, "stream": self.stream, "kind": self.kind, "generation": self.generation, "summary": list(self.summary),
            "steps": len(self.steps), "bytes": self.size_bytes, "first_steps": shown, "kept": [asdict(k) for k in self.kept[:SHOWN]],
            "way_back": self.way_back, "digest": self.digest,
        }  # fmt: skip


SHOWN = 20
