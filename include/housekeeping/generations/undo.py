"""Undo: the inverse moves of the newest rollover, reset or retirement, last step first."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path

from include.housekeeping.plan import Plan
from include.housekeeping.plan_builder import Way, begin, purged, require_finished
from include.settings import Settings
from include.state import journal
from include.state.journal import Operation, Step
from jobs.contract.commit import checkpoint, manifest
from jobs.contract.disk.layout import Layout, generation_name, parse_generation
from jobs.contract.errors import Refused


def plan(settings: Settings, name: str, now: datetime) -> Plan:
    """Read-only. Raises Refused: nothing to undo, a rewind, a new generation that has begun, something purged or moved since."""
    layout = settings.layout
    require_finished(layout, name)
    newest = _newest(layout, name)
    if newest.kind == "rewind":
        raise Refused(
            f"the newest operation is rewind {newest.id}, which needs no undo: a run reads exactly the same input again",
            layout.retired(name) / newest.id,
            cli=f"./caudal run {name}",
        )
    steps = journal.steps(layout.journal(name), newest.id)
    way = begin(layout, name, "undo", newest.generation, now)
    _require_unbegun(layout, name, steps)
    for _, stage in groupby(reversed(steps), key=lambda step: step.stage):
        _inverse(way.stage(), list(stage))
    _require_places(layout, way.steps[:], purged(layout, name))
    way.options["undoes"] = newest.id
    way.said += [
        f"takes back {newest.kind} {newest.id} of {newest.finished[:19]}",
        *newest.detail.get("summary", []),
    ]
    return way.plan(f"do it again: ./caudal generation {newest.kind} {name}")


def _newest(layout: Layout, name: str) -> Operation:
    """Of those that changed generations; undone ones and undos are past."""
    where = "finished IS NOT NULL AND undone_by = '' AND kind IN ('rollover', 'reset', 'retire', 'rewind')"
    found = journal.operations(layout.journal(name), where)
    if not found:
        raise Refused("there is nothing to undo", name, cli=f"./caudal generation list {name}")
    return found[-1]


def _begun(layout: Layout, steps: Sequence[Step]) -> list[tuple[str, int]]:
    """(stream, number) of the generation these steps began."""
    records = [Path(step.target) for step in steps if step.verb == "write"]
    return [
        (path.parent.name, number) for path in records if (number := parse_generation(path.stem)) is not None
    ]


def _require_unbegun(layout: Layout, name: str, steps: Sequence[Step]) -> None:
    for _, number in _begun(layout, steps):
        state = checkpoint.read(layout.checkpoint(name, number))
        if state.offsets or manifest.published(layout.output(name, number)):
            what = f"generation {number} has begun (batch {max(state.newest_offset, 0)} is planned): its records would be read again or lost"
            raise Refused(what, state.path, cli=f"./caudal generation reset {name} starts from the beginning")


def _inverse(way: Way, stage: Sequence[Step]) -> None:
    """Of one stage, last step first. A record that was written, and what a crash before the first offset left beside it, goes to retirado."""
    for step in stage:
        if step.verb == "move":
            way.step("move", step.target, step.source, step.size_bytes, step.batch)
    for _, number in _begun(way.layout, stage):
        way.retire(way.layout.generation_record(way.stream, number))
        parents = (
            way.layout.checkpoints(way.stream),
            way.layout.salida(way.stream),
            way.layout.quarantine(way.stream),
        )
        for path in (parent / generation_name(number) for parent in parents):
            if os.path.lexists(path):
                way.retire(path)


def _require_places(layout: Layout, steps: Sequence[Step], removed: Mapping[str, str]) -> None:
    home = str(layout.home)
    for step in steps:
        if not os.path.lexists(f"{home}/{step.source}"):
            raise Refused(
                f"{_why_gone(step.source, removed)}: it cannot be brought back", layout.home / step.source
            )
        if os.path.lexists(f"{home}/{step.target}"):
            raise Refused(
                "something else has this name now",
                layout.home / step.target,
                cli="move it out of the way, then plan again",
            )


def _why_gone(source: str, removed: Mapping[str, str]) -> str:
    parents = [source, *map(str, Path(source).parents)]
    by = next((removed[path] for path in parents if path in removed), "")
    return f"purged by {by}" if by else "gone from here"
