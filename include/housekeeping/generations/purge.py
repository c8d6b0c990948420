"""Purge: removes for good what has outlived its retention. Nothing else in Caudal deletes data.

The journal keeps the name of everything that a purge has removed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path

from include.housekeeping.plan import Kept, Plan
from include.housekeeping.plan_builder import PlanBuilder, begin
from include.settings import Settings
from include.state import generations, journal
from include.state.journal import Operation, Step
from jobs.contract.commit import checkpoint
from jobs.contract.disk.layout import MANIFEST
from jobs.contract.errors import Refused
from jobs.contract.stream import Upkeep

INSIDE = "inside its retention, until "
Archived = dict[str, tuple[Operation, Step]]  # path in archivo -> the move that put it there


def plan(settings: Settings, name: str, upkeep: Upkeep, now: datetime) -> Plan:
    """As `due`. Raises Refused when there is something to purge and all of it is inside its retention."""
    purge = due(settings, name, upkeep, now)
    inside = [kept for kept in purge.kept if kept.reason.startswith(INSIDE)]
    if inside and not purge.steps:
        first = min(inside, key=lambda kept: kept.reason)
        what = f"{len(inside)} things are there and none is due; the first is {first.reason}"
        raise Refused(what, settings.home / first.path)
    return purge


def due(settings: Settings, name: str, upkeep: Upkeep, now: datetime) -> Plan:
    """Plans the removal of all that is due; read-only. The plan has no steps when nothing is due.

    Ages count from the end of the operation that put a thing where it is:
    - retirado/<operation>: after `retired_days`;
    - the checkpoint of a rolled-over generation: after `retired_days`, once the next generation has begun;
    - archived files whose batches are published: after `archive_days`.
    None keeps for ever.
    """
    number = max(generations.numbers(settings.layout, name), default=0)
    builder = begin(settings.layout, name, "purge", number, now)
    retired = _remove_retired(builder, upkeep.retired_days)
    checkpoints = _remove_superseded(builder, upkeep.retired_days)
    archived = _remove_archived(builder, upkeep.archive_days)
    builder.options |= {
        "operations": retired,
        "checkpoints": checkpoints,
        "archived": {str(generation): files for generation, files in archived.items()},
    }
    counts = f"{len(retired)} retired folders, {len(checkpoints)} checkpoints"
    builder.note(f"for good: {counts}, {archived.total()} archived files")
    return builder.plan("none: what is purged is gone")


def _is_over(builder: PlanBuilder, path: Path, since: str, days: int | None) -> bool:
    """Whether `path` has outlived its retention. If not, the plan keeps it and says why."""
    reason = "kept for ever" if days is None else _inside(builder, since, days)
    if reason:
        builder.keep(path, reason)
    return not reason


def _inside(builder: PlanBuilder, since: str, days: int) -> str:
    """When the retention ends, in words; empty when it is over."""
    until = datetime.fromisoformat(since) + timedelta(days=days)
    return f"{INSIDE}{until.isoformat(timespec='minutes')}" if builder.now < until else ""


def _remove_retired(builder: PlanBuilder, days: int | None) -> list[str]:
    """Returns the ids of the operations whose folders in retirado go."""
    root, path = builder.layout.retired(builder.stream), builder.layout.journal(builder.stream)
    finished = {op.id: op.finished for op in journal.operations(path, "finished IS NOT NULL")}
    removed: list[str] = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if folder.name not in finished:
            builder.keep(folder, "of no operation in the journal")
        elif _is_over(builder, folder, finished[folder.name], days):
            builder.stage().remove(folder, _tree_bytes(folder))
            removed.append(folder.name)
    return removed


def _remove_superseded(builder: PlanBuilder, days: int | None) -> list[int]:
    """Returns the numbers of the generations whose checkpoints go."""
    layout, name = builder.layout, builder.stream
    created = {g.number: g.created for g in generations.records(layout, name)}
    removed: list[int] = []
    for number in generations.folders(layout.checkpoints(name)):
        path, following = layout.checkpoint(name, number), number + 1
        if number >= builder.number or following not in created:
            continue
        if following == builder.number and not checkpoint.read(layout.checkpoint(name, following)).offsets:
            builder.keep(path, f"generation {following} has not begun: an undo would need it")
        elif _is_over(builder, path, created[following], days):
            builder.stage().remove(path, _tree_bytes(path))
            removed.append(number)
    return removed


def _remove_archived(builder: PlanBuilder, days: int | None) -> Counter[int]:
    """Returns generation -> how many of its archived files go.

    A day's folder goes as one step if all in it is due. Otherwise its files go one by one.
    """
    count: Counter[int] = Counter()
    if days is None:
        return count
    moves = _moves(builder)
    judge = cache(partial(_why_stays, builder, days))
    for folder, names, only_files in _folders(builder, {target.rpartition("/")[0] for target in moves}):
        paths = [path for name in names if _is_due(builder, path := f"{folder}/{name}", moves, judge)]
        count.update(moves[path][0].generation for path in paths)
        builder.stage()
        if paths and only_files and len(paths) == len(names):
            builder.remove(builder.layout.home / folder, _tree_bytes(builder.layout.home / folder))
            continue
        for path in paths:
            step = moves[path][1]
            builder.step("remove", path, size_bytes=step.size_bytes, batch=step.batch)
    return count


def _moves(builder: PlanBuilder) -> Archived:
    """The newest move that put each file into archivo."""
    newest: Archived = {}
    path, where = builder.layout.journal(builder.stream), "target LIKE 'data/archivo/%'"
    for operation, step in journal.moves(path, ("archive", "rollover"), where):
        newest.setdefault(step.target, (operation, step))
    return newest


def _folders(builder: PlanBuilder, parents: Collection[str]) -> Iterator[tuple[str, list[str], bool]]:
    """(folder relative to the home, its plain files, whether it holds nothing else)."""
    for parent in sorted(parents):
        folder = builder.layout.home / parent
        if folder.is_dir():
            with os.scandir(folder) as entries:
                kinds = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
            yield parent, sorted(name for name, plain in kinds.items() if plain), all(kinds.values())


def _is_due(builder: PlanBuilder, path: str, moves: Archived, judge: Callable[[int, int, str], str]) -> bool:
    reason = "of no archive operation in the journal"
    if path in moves:
        operation, step = moves[path]
        reason = judge(operation.generation, step.batch, operation.finished)
    if reason:
        builder.kept.append(Kept(path, reason))
    return not reason


def _why_stays(builder: PlanBuilder, days: int, generation: int, batch: int, finished: str) -> str:
    """Why the archived files of one batch and one operation stay; empty when they are due."""
    if not _is_published(builder, generation, batch):
        return f"batch {batch} of generation {generation} is not published"
    return _inside(builder, finished, days)


def _is_published(builder: PlanBuilder, generation: int, batch: int) -> bool:
    """True also for a generation without output, which was published before it was retired, and for an
    unknown batch (-1): a file is archived only after its batch is committed."""
    output = builder.layout.output(builder.stream, generation)
    folder = builder.layout.batch(builder.stream, generation, batch)
    return batch < 0 or not output.is_dir() or (folder / MANIFEST).is_file()


def _tree_bytes(folder: Path) -> int:
    files = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return sum(path.lstat().st_size for path in files)
