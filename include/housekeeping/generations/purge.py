"""Purge: the one place that removes for good, and only what has outlived its retention. What went stays known in the journal."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path

from include.housekeeping.plan import Kept, Plan
from include.housekeeping.plan_builder import Way, begin
from include.settings import Settings
from include.state import generations, journal
from include.state.journal import Operation, Step
from jobs.contract.commit import checkpoint
from jobs.contract.disk.layout import MANIFEST
from jobs.contract.errors import Refused
from jobs.contract.stream import Upkeep

INSIDE = "inside its retention, until "
Archived = dict[str, tuple[Operation, Step]]


def plan(settings: Settings, name: str, upkeep: Upkeep, now: datetime) -> Plan:
    """Read-only. As `due`; raises Refused when something waits for its purge and all of it is still inside its retention."""
    found = due(settings, name, upkeep, now)
    inside = [kept for kept in found.kept if kept.reason.startswith(INSIDE)]
    if inside and not found.steps:
        first = min(inside, key=lambda kept: kept.reason)
        raise Refused(
            f"{len(inside)} things are there and none is due; the first is {first.reason}",
            settings.home / first.path,
        )
    return found


def due(settings: Settings, name: str, upkeep: Upkeep, now: datetime) -> Plan:
    """Read-only; a plan without steps when nothing is due. With ages in days since the operation that put it there was finished:

    retirado/<operation> after `retired_days`; checkpoints of rolled-over generations after `retired_days`, once the next one has begun;
    archived files whose batches are published after `archive_days`. None keeps for ever.
    """
    way = begin(
        settings.layout, name, "purge", (generations.numbers(settings.layout, name)[-1:] or [0])[0], now
    )
    way.options |= {
        "operations": _retired(way, upkeep.retired_days),
        "checkpoints": _superseded(way, upkeep.retired_days),
    }
    way.options["archived"] = {
        str(number): files for number, files in _archived(way, upkeep.archive_days).items()
    }
    counts = [
        len(way.options["operations"]),
        len(way.options["checkpoints"]),
        sum(way.options["archived"].values()),
    ]
    way.said.append("for good: {} retired folders, {} checkpoints, {} archived files".format(*counts))
    return way.plan("none: what is purged is gone")


def _over(way: Way, path: Path, since: str, days: int | None) -> bool:
    """Whether `path` has outlived its retention; if not, it is kept with the reason."""
    if days is None:
        way.keep(path, "kept for ever")
        return False
    if reason := _inside(way, since, days):
        way.keep(path, reason)
    return not reason


def _inside(way: Way, since: str, days: int) -> str:
    """In words, when the retention ends; empty when it is over."""
    until = datetime.fromisoformat(since) + timedelta(days=days)
    return f"{INSIDE}{until.isoformat(timespec='minutes')}" if way.now < until else ""


def _retired(way: Way, days: int | None) -> list[str]:
    root = way.layout.retired(way.stream)
    done = {op.id: op for op in journal.operations(way.layout.journal(way.stream), "finished IS NOT NULL")}
    gone: list[str] = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if folder.name not in done:
            way.keep(folder, "of no operation in the journal")
        elif _over(way, folder, done[folder.name].finished, days):
            way.stage().remove(folder, _tree_bytes(folder))
            gone.append(folder.name)
    return gone


def _superseded(way: Way, days: int | None) -> list[int]:
    layout, name = way.layout, way.stream
    created = {g.number: g.created for g in generations.records(layout, name)}
    gone: list[int] = []
    for number in generations.folders(layout.checkpoints(name)):
        path = layout.checkpoint(name, number)
        if number >= way.number or number + 1 not in created:
            continue
        if number + 1 == way.number and not checkpoint.read(layout.checkpoint(name, way.number)).offsets:
            way.keep(path, f"generation {way.number} has not begun: an undo would need it")
        elif _over(way, path, created[number + 1], days):
            way.stage().remove(path, _tree_bytes(path))
            gone.append(number)
    return gone


def _archived(way: Way, days: int | None) -> Counter[int]:
    """Whole day folders where all in them is due, else single files. Generation -> files."""
    count: Counter[int] = Counter()
    if days is None:
        return count
    known = _moves(way)
    judge = cache(partial(_may_go, way, days))
    for folder, names, plain in _folders(way, {target.rpartition("/")[0] for target in known}):
        over = [
            (name, known[f"{folder}/{name}"])
            for name in names
            if _is_due(way, f"{folder}/{name}", known, judge)
        ]
        count.update(operation.generation for _, (operation, _) in over)
        way.stage()
        if over and plain and len(over) == len(names):
            way.remove(way.layout.home / folder, _tree_bytes(way.layout.home / folder))
            continue
        for name, (_, step) in over:
            way.step("remove", f"{folder}/{name}", size_bytes=step.size_bytes, batch=step.batch)
    return count


def _moves(way: Way) -> Archived:
    """Where files were archived to, by whom; the newest move counts."""
    found: Archived = {}
    for operation, step in journal.moves(
        way.layout.journal(way.stream), ("archive", "rollover"), "target LIKE 'data/archivo/%'"
    ):
        found.setdefault(step.target, (operation, step))
    return found


def _folders(way: Way, parents: Collection[str]) -> Iterator[tuple[str, list[str], bool]]:
    """(folder relative to the home, its plain files, whether it holds nothing else)."""
    for parent in sorted(parents):
        folder = way.layout.home / parent
        if folder.is_dir():
            with os.scandir(folder) as entries:
                kinds = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
            yield parent, sorted(name for name, plain in kinds.items() if plain), all(kinds.values())


def _is_due(way: Way, path: str, known: Archived, judge: Callable[[int, int, str], str]) -> bool:
    moved = known.get(path)
    reason = (
        judge(moved[0].generation, moved[1].batch, moved[0].finished)
        if moved
        else "of no archive operation in the journal"
    )
    if reason:
        way.kept.append(Kept(path, reason))
    return not reason


def _may_go(way: Way, days: int, generation: int, batch: int, finished: str) -> str:
    """Why archived files of one batch and one operation stay; empty when they are due."""
    if not _is_published(way, generation, batch):
        return f"batch {batch} of generation {generation} is not published"
    return _inside(way, finished, days)


def _is_published(way: Way, generation: int, batch: int) -> bool:
    """A generation that was retired was published once; where the batch is not told, the commit that let the file be archived must do."""
    output = way.layout.output(way.stream, generation)
    return (
        batch < 0
        or not output.is_dir()
        or (way.layout.batch(way.stream, generation, batch) / MANIFEST).is_file()
    )


def _tree_bytes(folder: Path) -> int:
    return sum(
        (Path(parent) / name).lstat().st_size for parent, _, names in os.walk(folder) for name in names
    )
