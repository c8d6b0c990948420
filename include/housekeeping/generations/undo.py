"""Undo: takes back the newest rollover, reset or retirement by the inverse moves, last step first."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path

from include.housekeeping.plan import Plan
from include.housekeeping.plan_builder import PlanBuilder, begin, purged, require_finished
from include.settings import Settings
from include.state import journal
from include.state.journal import Operation, Step
from jobs.contract.commit import checkpoint, manifest
from jobs.contract.disk.layout import Layout, generation_name, parse_generation
from jobs.contract.errors import Refused


def plan(settings: Settings, name: str, now: datetime) -> Plan:
    """Plans the undo; read-only.

    Raises Refused: there is nothing to undo; the newest operation is a rewind; the new generation has planned
    a batch; something was purged or moved since.
    """
    layout = settings.layout
    require_finished(layout, name)
    newest = _newest(layout, name)
    if newest.kind == "rewind":
        what = f"rewind {newest.id}, the newest operation, needs no undo: a run reads the same input again"
        raise Refused(what, layout.retired(name) / newest.id, cli=f"./caudal run {name}")
    steps = journal.steps(layout.journal(name), newest.id)
    builder = begin(layout, name, "undo", newest.generation, now)
    _require_not_begun(layout, name, steps)
    for _, stage in groupby(reversed(steps), key=lambda step: step.stage):
        _invert(builder.stage(), list(stage))
    _require_places(layout, builder.steps[:], purged(layout, name))
    builder.options["undoes"] = newest.id
    builder.note(f"takes back {newest.kind} {newest.id} of {newest.finished[:19]}")
    builder.note(*newest.detail.get("summary", []))
    return builder.plan(f"do it again: ./caudal generation {newest.kind} {name}")


def _newest(layout: Layout, name: str) -> Operation:
    """The newest operation that changed generations and was not undone. Raises Refused for none."""
    where = "finished IS NOT NULL AND undone_by = '' AND kind IN ('rollover', 'reset', 'retire', 'rewind')"
    operations = journal.operations(layout.journal(name), where)
    if not operations:
        raise Refused("there is nothing to undo", name, cli=f"./caudal generation list {name}")
    return operations[-1]


def _begun(steps: Sequence[Step]) -> list[int]:
    """Numbers of the generations whose records these steps wrote."""
    records = [Path(step.target) for step in steps if step.verb == "write"]
    return [number for path in records if (number := parse_generation(path.stem)) is not None]


def _require_not_begun(layout: Layout, name: str, steps: Sequence[Step]) -> None:
    """Raises Refused when a run of the new generation has planned a batch."""
    for number in _begun(steps):
        state = checkpoint.read(layout.checkpoint(name, number))
        if state.offsets or manifest.published(layout.output(name, number)):
            batch = max(state.newest_offset, 0)
            begun = f"generation {number} has begun (batch {batch} is planned)"
            what = f"{begun}: its records would be read again or lost"
            raise Refused(what, state.path, cli=f"./caudal generation reset {name} starts from the beginning")


def _invert(builder: PlanBuilder, stage: Sequence[Step]) -> None:
    """Adds the inverse of one stage, last step first.

    A generation's record that the stage wrote goes to retirado, and so does what a run that crashed before
    its first offset left of that generation.
    """
    for step in stage:
        if step.verb == "move":
            builder.step("move", step.target, step.source, step.size_bytes, step.batch)
    layout, name = builder.layout, builder.stream
    for number in _begun(stage):
        builder.retire(layout.generation_record(name, number))
        for parent in (layout.checkpoints(name), layout.salida(name), layout.quarantine(name)):
            if os.path.lexists(path := parent / generation_name(number)):
                builder.retire(path)


def _require_places(layout: Layout, steps: Sequence[Step], removed: Mapping[str, str]) -> None:
    """Raises Refused when a source is gone or a target is taken."""
    home = str(layout.home)
    for step in steps:
        if not os.path.lexists(f"{home}/{step.source}"):
            what = f"{_why_gone(step.source, removed)}: it cannot be brought back"
            raise Refused(what, layout.home / step.source)
        if os.path.lexists(f"{home}/{step.target}"):
            what, target = "something else has this name now", layout.home / step.target
            raise Refused(what, target, cli="move it out of the way, then plan again")


def _why_gone(source: str, removed: Mapping[str, str]) -> str:
    parents = [source, *map(str, Path(source).parents)]
    purge = next((removed[path] for path in parents if path in removed), "")
    return f"purged by {purge}" if purge else "gone from here"
