"""The way to a plan: steps gathered stage by stage, with paths as the journal keeps them (relative to the home)."""

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
class Way:
    """`number`: of the generation the operation begins on. Nothing here changes the disk."""

    layout: Layout
    stream: str
    kind: Kind
    number: int
    now: datetime
    id: str
    steps: list[Step] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    _stage: int = 0

    def stage(self) -> Way:
        """What follows is done after everything before it is durable. Stages are numbered without a gap."""
        self._stage = self.steps[-1].stage + 1 if self.steps else 0
        return self

    def relative(self, path: Path) -> str:
        return str(path.relative_to(self.layout.home))

    def step(self, verb: Verb, source: str, target: str = "", size_bytes: int = 0, batch: int = -1) -> None:
        """Paths relative to the home."""
        self.steps.append(Step(self._stage, verb, source, target, size_bytes, batch))

    def retire(self, path: Path, batch: int = -1) -> None:
        """`path`, a file or folder, into this operation's folder in retirado, laid out as under data."""
        below = self.layout.data if path.is_relative_to(self.layout.data) else self.layout.home
        target = self.layout.retired(self.stream) / self.id / path.relative_to(below)
        self._check_device(path, target)
        self.step(
            "move",
            self.relative(path),
            self.relative(target),
            0 if path.is_dir() else path.lstat().st_size,
            batch,
        )

    def retire_all(self, paths: Iterable[Path]) -> int:
        """A stage for each path that exists; how many there are."""
        found = [path for path in paths if os.path.lexists(path)]
        for path in found:
            self.stage().retire(path)
        return len(found)

    def record(self, start: str | dict[str, dict[str, int]], topic_ids: dict[str, str]) -> None:
        """The step that makes the next generation exist."""
        layout, name, number = self.layout, self.stream, self.number + 1
        for path in (layout.checkpoint(name, number), layout.output(name, number)):
            if os.path.lexists(path):
                raise Refused(
                    f"generation {number} has no record, but this is there already",
                    path,
                    cli="move it out of the home",
                )
        generation = Generation(
            name, number, self.number, start, topic_ids, self.now.isoformat(), operation=self.id
        )
        path = layout.generation_record(name, number)
        self.stage().steps.append(
            Step(self._stage, "write", target=self.relative(path), data=generation.to_json())
        )

    def remove(self, path: Path, size_bytes: int, batch: int = -1) -> None:
        self.step("remove", self.relative(path), size_bytes=size_bytes, batch=batch)

    def write(self, path: Path, data: str, batch: int = -1) -> None:
        self.steps.append(Step(self._stage, "write", target=self.relative(path), batch=batch, data=data))

    def deliver(self, folder: Path, path: Path, size_bytes: int, batch: int, data: str) -> None:
        """`data`: a refused.Selection of the quarantined batch `folder`."""
        self.steps.append(
            Step(self._stage, "deliver", self.relative(folder), self.relative(path), size_bytes, batch, data)
        )

    def keep(self, path: Path, reason: str) -> None:
        self.kept.append(Kept(self.relative(path), reason))

    def plan(self, way_back: str) -> Plan:
        return Plan(
            self.id,
            self.stream,
            self.kind,
            self.number,
            tuple(self.steps),
            tuple(self.said),
            way_back,
            tuple(self.kept),
            self.options,
            self.now.isoformat(),
        )

    def _check_device(self, path: Path, target: Path) -> None:
        """A folder is moved by one rename, which no rename does across file systems."""
        there = next(parent for parent in target.parents if parent.is_dir())
        if path.lstat().st_dev != there.lstat().st_dev:
            raise Refused(
                "retirado lies on another file system than what it is to take",
                path,
                cli="bring both onto one, then plan again",
            )


def begin(layout: Layout, stream: str, kind: Kind, number: int, now: datetime) -> Way:
    """An empty way. Raises Refused while an operation is open: it comes first."""
    require_finished(layout, stream)
    return Way(layout, stream, kind, number, now, run_ids.after(layout, stream, now))


def require_finished(layout: Layout, stream: str) -> None:
    """Raises Refused while an operation is open."""
    if cut := journal.open_operations(layout.journal(stream)):
        raise Refused(
            f"{cut[0].kind} {cut[0].id} was cut short and comes first",
            stream,
            cli=f"./caudal run {stream} finishes it",
        )


def require(verdict: Refuse | None, where: object, ways: Mapping[str, str] = MappingProxyType({})) -> None:
    """Raises Refused with the protocol's rule. `ways`: rule -> what to do instead."""
    if verdict is not None:
        raise Refused(f"{verdict.why} ({verdict.rule})", where, cli=ways.get(verdict.rule, ""))


def purged(layout: Layout, stream: str) -> Mapping[str, str]:
    """What purges have removed: path -> the purge's id. A path may be a folder."""
    path = layout.journal(stream)
    done = journal.operations(path, "kind = 'purge' AND finished IS NOT NULL")
    return {step.source: operation.id for operation in done for step in journal.steps(path, operation.id)}
