"""Retire: a rolled-over generation leaves readers' sight; or what is left of a stream that is no longer registered."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from include import streams
from include.housekeeping import replay_inputs
from include.housekeeping.plan import Plan
from include.housekeeping.plan_builder import begin
from include.settings import Settings
from include.state import generations, upstream
from jobs.contract.commit import checkpoint
from jobs.contract.commit.upstream import outputs
from jobs.contract.disk.layout import Layout, generation_name, is_name
from jobs.contract.errors import Refused
from jobs.contract.stream import Stream


def plan(settings: Settings, stream: Stream, now: datetime, *, generation: int) -> Plan:
    """Read-only. Output, quarantine and checkpoint of `generation` go to retirado; its archived files stay in archivo.

    Raises Refused: it is the current one, or nothing of it is here.
    """
    layout, name = settings.layout, stream.name
    current = generations.current(layout, name)
    if current is None or generation not in generations.numbers(layout, name):
        known = ", ".join(map(str, generations.numbers(layout, name))) or "none yet"
        raise Refused(
            f"there is no generation {generation} (there is {known})",
            name,
            cli=f"./caudal generation list {name}",
        )
    if generation == current.number:
        what = f"generation {generation} is the current one: runs write to it"
        raise Refused(
            what, name, cli=f"./caudal generation rollover {name} begins a new one first; reset retires all"
        )
    _require_read(layout, name, generation)
    way = begin(layout, name, "retire", current.number, now)
    ends = replay_inputs.ends(layout, name, generation)
    way.options["retires"] = generation
    parents = (layout.salida(name), layout.quarantine(name), layout.checkpoints(name))
    if not way.retire_all(parent / generation_name(generation) for parent in parents):
        raise Refused(
            f"nothing of generation {generation} is left to retire",
            name,
            cli=f"./caudal generation list {name}",
        )
    batches = f"{ends[1].batch + 1} batches leave readers' sight" if ends else "readers see no difference"
    way.said += [
        f"generation {generation}: {batches}",
        "its archived files stay in archivo; a reset later does not bring them back",
    ]
    return way.plan(_undo(name))


def _require_read(layout: Layout, name: str, generation: int) -> None:
    """Raises Refused when a stream that reads this one's output has still to read some of this generation."""
    for reader in map(streams.get, streams.readers(name)):
        now = generations.current(layout, reader.name)
        state = checkpoint.read(layout.checkpoint(reader.name, now.number if now else 1))
        if state.newest_offset != state.newest_commit:
            what = f"{reader.name} has planned a batch that is not done, and may need part files of generation {generation} again"
            raise Refused(what, name, cli=f"./caudal run {reader.name}, then retire")
        parts = upstream.unread(layout, reader, now.number if now else 1)
        left = [
            one
            for one, file in outputs(layout, name, parts).items()
            if one.generation == generation and file.records
        ]
        if left:
            what = f"{reader.name} has not read {len(left)} part files of generation {generation} yet, and never would"
            raise Refused(what, name, cli=f"./caudal run {reader.name}, then retire")


def plan_gone(settings: Settings, name: str, now: datetime, *, output: bool = False) -> Plan:
    """Read-only. Checkpoints of a stream that is not registered (any more) go to retirado; with `output` its output and quarantine, too.

    The caller knows that it is not registered. Raises Refused when nothing of it is here.
    """
    layout = settings.layout
    current = generations.numbers(layout, name)[-1:] or [0]
    way = begin(layout, name, "retire", current[0], now)
    way.options["retires"] = 0
    parents = [layout.salida(name), layout.quarantine(name)] if output else []
    for parent in (*parents, layout.checkpoints(name)):
        way.retire_all(parent / generation_name(n) for n in reversed(generations.folders(parent)))
    if not way.steps:
        raise Refused(
            "nothing of this stream is left to retire", name, cli=f"./caudal generation list {name}"
        )
    seen = (
        "output, quarantine and checkpoints"
        if output
        else "its checkpoints; the output stays where readers see it"
    )
    way.said.append(f"{name} is not registered: {seen} ({len(way.steps)} folders)")
    return way.plan(_undo(name))


def gone(layout: Layout, registered: Collection[str]) -> dict[str, datetime]:
    """Names that have checkpoints here and are not registered -> when the newest of them was last changed (UTC)."""
    parent = layout.checkpoints("x").parent
    names = sorted(e.name for e in parent.iterdir() if is_name(e.name)) if parent.is_dir() else []
    return {
        n: _changed(layout.checkpoints(n))
        for n in names
        if n not in registered and generations.folders(layout.checkpoints(n))
    }


def _changed(folder: Path) -> datetime:
    """Spark writes an offset and a commit a batch."""
    logs = [
        p
        for n in generations.folders(folder)
        for p in (folder / generation_name(n), *(folder / generation_name(n)).glob("[oc]*s"))
    ]
    return datetime.fromtimestamp(max(p.stat().st_mtime for p in logs), UTC)


def _undo(name: str) -> str:
    return f"./caudal generation undo {name}, until it is purged"
