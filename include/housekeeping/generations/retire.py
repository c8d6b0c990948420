"""Retire: moves a rolled-over generation, or a stream that is no longer registered, into retirado."""

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
    """Plans the retirement of `generation`; read-only. Its output, quarantine and checkpoint go to retirado.

    Its archived files stay in archivo. Raises Refused: it is the current one, nothing of it is here, or a
    stream that reads its output has not read all of it.
    """
    layout, name = settings.layout, stream.name
    current = generations.current(layout, name)
    if current is None or generation not in generations.numbers(layout, name):
        known = ", ".join(map(str, generations.numbers(layout, name))) or "none yet"
        what = f"there is no generation {generation} (there is {known})"
        raise Refused(what, name, cli=f"./caudal generation list {name}")
    if generation == current.number:
        what = f"generation {generation} is the current one: runs write to it"
        cli = f"./caudal generation rollover {name} begins a new one first; reset retires all"
        raise Refused(what, name, cli=cli)
    _require_read(layout, name, generation)
    builder = begin(layout, name, "retire", current.number, now)
    ends = replay_inputs.ends(layout, name, generation)
    builder.options["retires"] = generation
    parents = (layout.salida(name), layout.quarantine(name), layout.checkpoints(name))
    if not builder.retire_all(parent / generation_name(generation) for parent in parents):
        what = f"nothing of generation {generation} is left to retire"
        raise Refused(what, name, cli=f"./caudal generation list {name}")
    batches = f"{ends[1].batch + 1} batches leave readers' sight" if ends else "readers see no difference"
    builder.note(f"generation {generation}: {batches}")
    builder.note("its archived files stay in archivo; a later reset does not bring them back")
    return builder.plan(_undo(name))


def _require_read(layout: Layout, name: str, generation: int) -> None:
    """Raises Refused when a stream that reads this one's output has not read all of this generation."""
    for reader in map(streams.get, streams.readers(name)):
        current = generations.current(layout, reader.name)
        number = current.number if current else 1
        state = checkpoint.read(layout.checkpoint(reader.name, number))
        if state.newest_offset != state.newest_commit:
            what = (
                f"{reader.name} has an open batch, which may need part files of generation {generation} again"
            )
            raise Refused(what, name, cli=f"./caudal run {reader.name}, then retire")
        parts = outputs(layout, name, upstream.unread(layout, reader, number)).items()
        unread = [part for part, file in parts if part.generation == generation and file.records]
        if unread:
            what = f"{reader.name} has not read {len(unread)} part files of generation {generation} yet"
            raise Refused(what, name, cli=f"./caudal run {reader.name}, then retire")


def plan_gone(settings: Settings, name: str, now: datetime, *, output: bool = False) -> Plan:
    """Plans the retirement of a stream that is not registered; read-only. Its checkpoints go to retirado.

    With `output`, its output and quarantine go, too. The caller has checked that the stream is not
    registered. Raises Refused when nothing of it is here.
    """
    layout = settings.layout
    current = generations.numbers(layout, name)[-1:] or [0]
    builder = begin(layout, name, "retire", current[0], now)
    builder.options["retires"] = 0
    parents = [layout.salida(name), layout.quarantine(name)] if output else []
    for parent in (*parents, layout.checkpoints(name)):
        builder.retire_all(parent / generation_name(n) for n in reversed(generations.folders(parent)))
    if not builder.steps:
        what = "nothing of this stream is left to retire"
        raise Refused(what, name, cli=f"./caudal generation list {name}")
    checkpoints_only = "its checkpoints; the output stays where readers see it"
    what = "output, quarantine and checkpoints" if output else checkpoints_only
    builder.note(f"{name} is not registered: {what} ({len(builder.steps)} folders)")
    return builder.plan(_undo(name))


def gone(layout: Layout, registered: Collection[str]) -> dict[str, datetime]:
    """Streams that have checkpoints here but are not registered -> when one was last changed (UTC)."""
    parent = layout.checkpoints("x").parent
    names = sorted(e.name for e in parent.iterdir() if is_name(e.name)) if parent.is_dir() else []
    return {
        n: _changed(layout.checkpoints(n))
        for n in names
        if n not in registered and generations.folders(layout.checkpoints(n))
    }


def _changed(folder: Path) -> datetime:
    """Spark adds an offset and a commit for each batch, which changes the time of these folders."""
    checkpoints = [folder / generation_name(number) for number in generations.folders(folder)]
    logs = [path for state in checkpoints for path in (state, *state.glob("[oc]*s"))]
    return datetime.fromtimestamp(max(path.stat().st_mtime for path in logs), UTC)


def _undo(name: str) -> str:
    return f"./caudal generation undo {name}, until it is purged"
