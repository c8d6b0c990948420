"""Does what the journal says.

Each step can be done twice. So an operation that a crash has cut short is simply done again, from its start.

    intent (journal, durable) -> stage 1 -> stage 2 -> ... -> finished (journal)

A stage is durable before the next one begins.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path

from include.state import journal, refused_records
from include.state.journal import Operation, Step
from jobs.contract.disk import failpoints, storage, syscalls
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import JournalDamaged

# Moves between two flushes of their folders. It bounds the memory for paths; beside 5,000 renames, a flush
# costs little.
ROUND_MOVES = 5000


def apply(layout: Layout, stream: str, operation: Operation, steps: Sequence[Step], now: datetime) -> None:
    """Begins and finishes an operation. The caller holds the stream's lease.

    Raises JournalDamaged when a file is not where the journal says; DiskFull, NotWritable, UnsafePath. The
    operation then stays open, and `redo` goes on with it.
    """
    path = storage.confine(layout.home, layout.journal(stream))
    with storage.disk_errors(layout.home):
        _flush(layout, [layout.home / step.source for step in steps if step.verb == "move"])
    journal.begin(path, operation, steps)
    failpoints.hit("intent")
    _finish(layout, path, operation, steps, now)


def redo(layout: Layout, stream: str, now: datetime) -> list[Operation]:
    """Finishes the operations that were cut short, and returns them. The caller holds the stream's lease.

    Raises as `apply`.
    """
    path = storage.confine(layout.home, layout.journal(stream))
    cut_short = journal.open_operations(path)
    for operation in cut_short:
        steps = journal.steps(path, operation.id)
        with storage.disk_errors(layout.home):
            _clear(layout, steps)
        _finish(layout, path, operation, steps, now)
    return cut_short


def _flush(layout: Layout, sources: Sequence[Path]) -> None:
    """Makes the files durable under their present names before the journal names them.

    Spark flushes nothing: after a power cut, a step could have nothing to move.
    """
    if not all(storage.is_regular(source) for source in sources):
        if not syscalls.syncfs(layout.home):
            os.sync()
        return
    storage.fsync_files(sources)
    storage.fsync_dirs(source.parent for source in sources)


def _clear(layout: Layout, steps: Iterable[Step]) -> None:
    """Removes the half-made copies that a kill has left beside the targets.

    Nobody else writes there while the lease is held, except in entrada: producers take no lease. There, only
    the daily cleaning removes copies, by their age.
    """
    for folder in dict.fromkeys(step.target.rpartition("/")[0] for step in steps if step.target):
        place = storage.confine(layout.home, folder)
        if place.is_dir() and not place.is_relative_to(layout.data / "entrada"):
            copies = [path for path in place.glob(f"{storage.TEMP_PREFIX}*") if storage.is_regular(path)]
            storage.unlink_all(copies)


def _finish(layout: Layout, path: Path, operation: Operation, steps: Iterable[Step], now: datetime) -> None:
    with storage.disk_errors(layout.home):
        for _, stage in groupby(steps, key=lambda step: step.stage):
            _do(_Home(layout.home), operation, list(stage))
            failpoints.hit("stage")
        failpoints.hit("steps")
        journal.finish(path, operation, now.isoformat())
        failpoints.hit("done")


def _do(home: _Home, operation: Operation, stage: Sequence[Step]) -> None:
    moves = [step for step in stage if step.verb == "move"]
    for start in range(0, len(moves), ROUND_MOVES):
        _move(home, operation, moves[start : start + ROUND_MOVES])
    for step in stage:
        if step.verb == "write":
            _write(home, operation, step)
        elif step.verb == "remove":
            _remove(home, step)
        elif step.verb == "deliver":
            _deliver(home, operation, step)


@dataclass
class _Home:
    """The journal's paths, confined. Each folder is checked once: 200,000 files may lie in few folders."""

    root: Path
    folders: dict[str, Path] = field(default_factory=dict)

    def path(self, relative: str) -> Path:
        folder, _, name = relative.rpartition("/")
        if folder not in self.folders:
            self.folders[folder] = storage.confine(self.root, folder)
        if name in ("", ".", ".."):
            raise JournalDamaged("a step without a name", relative)
        return self.folders[folder] / name


def _move(home: _Home, operation: Operation, moves: Sequence[Step]) -> None:
    """Moves files and folders onto free names. What is at its target already was moved before a crash."""
    pairs = [(home.path(step.source), home.path(step.target)) for step in moves]
    folders = dict.fromkeys(path.rpartition("/")[0] for step in moves for path in (step.source, step.target))
    for folder in dict.fromkeys(step.target.rpartition("/")[0] for step in moves):
        storage.make_dirs(home.folders[folder])
    files: list[tuple[Path, Path]] = []
    others: list[tuple[Path, Path]] = []
    for pair in _due(operation, pairs):
        (files if storage.is_regular(pair[0]) else others).append(pair)
    for source, target in others:
        storage.rename_dir_new(source, target)
        failpoints.hit("move")
    for source, error in storage.move_each_new(files).items():
        raise _damaged(operation, str(error.strerror or error), source) from error
    storage.fsync_dirs(place for folder in folders if (place := home.folders[folder]).is_dir())


def _due(operation: Operation, pairs: Sequence[tuple[Path, Path]]) -> Iterator[tuple[Path, Path]]:
    """The moves that are still to do.

    If both names exist and are the same file, or equal files, then a kill has cut a move in two (on systems
    without renameat2), and it is finished here.
    """
    for source, target in pairs:
        here, there = os.path.lexists(source), os.path.lexists(target)
        if here and there and not storage.finish_move(source, target):
            raise _damaged(operation, "the target name is taken by something else", target)
        if not here and not there:
            raise _damaged(operation, f"gone from here, and not at {target}", source)
        if here and not there:
            yield source, target


def _write(home: _Home, operation: Operation, step: Step) -> None:
    path, data = home.path(step.target), step.data.encode()
    storage.make_dirs(path.parent)
    try:
        storage.write_new(path, data)
    except FileExistsError:
        if not storage.is_regular(path) or path.read_bytes() != data:
            raise _damaged(operation, "another file has this name", path) from None
        storage.fsync_dir(path.parent)


def _deliver(home: _Home, operation: Operation, step: Step) -> None:
    """Writes a delivery into entrada. Nobody takes it from there before the operation is finished: intake
    needs the same lease, and operations that were cut short come first."""
    folder, path = home.path(step.source), home.path(step.target)
    selection = refused_records.Selection.from_json(step.data)
    if refused_records.digest(folder) != selection.digest:
        raise _damaged(operation, "these are not the records that were to be delivered", folder)
    storage.make_dirs(path.parent)
    content = refused_records.delivery(operation.id, path.name, folder, selection)
    if not os.path.lexists(path):
        storage.write_new(path, content)
    elif not _holds(path, content):
        raise _damaged(operation, "another file has this name", path)
    storage.fsync_dir(path.parent)
    failpoints.hit("move")


def _holds(path: Path, lines: Iterable[bytes]) -> bool:
    """Whether `path` is a plain file with exactly these bytes."""
    if not storage.is_regular(path):
        return False
    with path.open("rb") as file:
        return all(file.read(len(line)) == line for line in lines) and not file.read(1)


def _remove(home: _Home, step: Step) -> None:
    path = home.path(step.source)
    if path.is_dir() and not path.is_symlink():
        storage.remove_tree(home.root, path)
    elif os.path.lexists(path):
        storage.unlink_all([path])
    failpoints.hit("move")


def _damaged(operation: Operation, what: str, where: Path) -> JournalDamaged:
    return JournalDamaged(f"{operation.kind} {operation.id}: {what}", where)
