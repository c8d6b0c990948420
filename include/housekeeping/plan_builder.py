"""Gathers the steps of a plan, stage by stage. Paths are relative to the home, as in the journal."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from include.housekeeping.plan import Kept, Plan
from include.state import journal, run_ids
from include.state.generations import Generation
from include.state.journal import Kind, Step, Verb
from jobs.contract.commit.protocol import Refuse
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import Refused


@dataclass
class PlanBuilder:
    """A plan in the making; it changes nothing on disk. `number`: the generation when the operation begins.

    `notes`: the sentences that become the plan's summary. `kept`, `options`: as in Plan.
    """

    layout: Layout
    stream: str
    kind: Kind
    number: int
    now: datetime
    id: str
    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    _stage: int = 0

    def stage(self) -> PlanBuilder:
        """Begins a stage: its steps are done when all earlier ones are durable. Numbers have no gap."""
        self._stage = self.steps[-1].stage + 1 if self.steps else 0
        return self

    def note(self, *sentences: str) -> None:
        self.notes += sentences

    def keep(self, path: Path, reason: str) -> None:
        self.kept.append(Kept(self.relative(path), reason))

    def relative(self, path: Path) -> str:
        return str(path.relative_to(self.layout.home))

    def step(
        self, verb: Verb, source: str, target: str = "", size_bytes: int = 0, batch: int = -1, data: str = ""
    ) -> None:
        """Adds a step to the stage. Paths are relative to the home."""
        self.steps.append(Step(self._stage, verb, source, target, size_bytes, batch, data))

    def retire(self, path: Path, batch: int = -1) -> None:
        """Moves a file or folder into this operation's folder in retirado, which is laid out like data."""
        below = self.layout.data if path.is_relative_to(self.layout.data) else self.layout.home
        target = self.layout.retired(self.stream) / self.id / path.relative_to(below)
        self._check_device(path, target)
        size_bytes = 0 if path.is_dir() else path.lstat().st_size
        self.step("move", self.relative(path), self.relative(target), size_bytes, batch)

    def retire_all(self, paths: Iterable[Path]) -> int:
        """Retires each path that exists, in a stage of its own. Returns how many there are."""
        existing = [path for path in paths if os.path.lexists(path)]
        for path in existing:
            self.stage().retire(path)
        return len(existing)

    def begin_generation(self, start: str | dict[str, dict[str, int]], topic_ids: dict[str, str]) -> None:
        """Writes the record that makes the next generation exist. Raises Refused if a part of it is there."""
        layout, name, number = self.layout, self.stream, self.number + 1
        for path in (layout.checkpoint(name, number), layout.output(name, number)):
            if os.path.lexists(path):
                what = f"generation {number} has no record, but this is there already"
                raise Refused(what, path, cli="move it out of the home")
        created = self.now.isoformat()
        record = Generation(name, number, self.number, start, topic_ids, created, operation=self.id)
        self.stage().write(layout.generation_record(name, number), record.to_json())

    def remove(self, path: Path, size_bytes: int, batch: int = -1) -> None:
        self.step("remove", self.relative(path), size_bytes=size_bytes, batch=batch)

    def write(self, path: Path, data: str, batch: int = -1) -> None:
        self.step("write", "", self.relative(path), batch=batch, data=data)

    def deliver(self, folder: Path, path: Path, size_bytes: int, batch: int, data: str) -> None:
        """`data`: the refused_records.Selection, as JSON, of the quarantined batch in `folder`."""
        self.step("deliver", self.relative(folder), self.relative(path), size_bytes, batch, data)

    def plan(self, way_back: str) -> Plan:
        return Plan(
            self.id,
            self.stream,
            self.kind,
            self.number,
            tuple(self.steps),
            tuple(self.notes),
            way_back,
            tuple(self.kept),
            self.options,
            self.now.isoformat(),
        )

    def _check_device(self, path: Path, target: Path) -> None:
        """A folder is moved by one rename, and no rename crosses file systems."""
        there = next(parent for parent in target.parents if parent.is_dir())
        if path.lstat().st_dev != there.lstat().st_dev:
            what = "retirado lies on another file system than what it is to take"
            raise Refused(what, path, cli="bring both onto one, then plan again")


def begin(layout: Layout, stream: str, kind: Kind, number: int, now: datetime) -> PlanBuilder:
    """A builder without steps. Raises Refused while an operation is open, because that one comes first."""
    require_finished(layout, stream)
    return PlanBuilder(layout, stream, kind, number, now, run_ids.after(layout, stream, now))


def require_finished(layout: Layout, stream: str) -> None:
    """Raises Refused while an operation is open."""
    if cut := journal.open_operations(layout.journal(stream)):
        what = f"{cut[0].kind} {cut[0].id} was cut short and comes first"
        raise Refused(what, stream, cli=f"./caudal run {stream} finishes it")


def require(
    verdict: Refuse | None, where: object, remedies: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Raises Refused if the protocol refuses. `remedies`: the protocol's rule -> what to do instead."""
    if verdict is not None:
        raise Refused(f"{verdict.why} ({verdict.rule})", where, cli=remedies.get(verdict.rule, ""))


def purged(layout: Layout, stream: str) -> Mapping[str, str]:
    """What purges have removed: path -> the purge's id. A path may be a folder."""
    path = layout.journal(stream)
    done = journal.operations(path, "kind = 'purge' AND finished IS NOT NULL")
    return {step.source: operation.id for operation in done for step in journal.steps(path, operation.id)}
