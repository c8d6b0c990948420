"""Simulates a power cut: takes back what was written but not flushed, using the log of
jobs.contract.disk.recording and the tree as it is now.

The simulated disk promises as little as POSIX does. A folder's names are durable as of its last fsync, and a
file's content as of the file's own. Names that changed since are lost newest first, in each folder
separately. Contents that were never flushed are kept, empty, or cut. One assumption is made, which every
journaling file system fulfils: if the new name of a rename is lost, the old name is there. What nobody
recorded (Spark's own files) counts as never flushed. SQLite's files are left alone, because SQLite flushes
them itself, and so are lock files, which hold nothing.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from jobs.contract.disk import recording

TRUSTED = (".sqlite", ".sqlite-journal", ".lease", ".publish", ".log")  # no program reads a .log again


@dataclass
class Log:
    """What is durable according to the recording.

    `names`: folder's inode -> name -> inode. `contents`: (inode, size, mtime_ns) of flushed files. `gone`:
    (folder's inode, name, inode) of names that were removed -> (time in ns, the copy that was kept).
    """

    names: dict[int, dict[str, int]] = field(default_factory=dict)
    contents: set[tuple[int, int, int]] = field(default_factory=set)
    gone: dict[tuple[int, str, int], tuple[int, str]] = field(default_factory=dict)

    def take(self, event: dict[str, Any]) -> None:
        if event["op"] == "file":
            self.contents.add((event["ino"], event["size"], event["mtime"]))
        elif event["op"] == "dir":
            self.names[event["ino"]] = event["names"]
        else:
            self.gone[event["dir"], event["name"], event["ino"]] = event["t"], event["copy"]


@dataclass
class Change:
    """One name that is not durable. Either `ino` is there and may go (`old` is 0), or it is gone or replaced
    and `old` may come back."""

    folder: Path
    name: str
    time_ns: int
    ino: int = 0
    old: int = 0
    copy: str = ""

    @property
    def path(self) -> Path:
        return self.folder / self.name


def read_log(folder: Path) -> Log:
    log = Log()
    for line in (folder / recording.LOG).read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        with suppress(ValueError):  # a process that was killed while it wrote leaves half a line
            log.take(json.loads(line))
    return log


def begin(home: Path, folder: Path) -> None:
    """Starts a new recording in `folder`; everything in `home` counts as durable from here on."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    recording.flushed_all(home, folder)


def cut(home: Path, folder: Path, dice: Random) -> list[str]:
    """Takes back a share of what is not durable; says what, one line each. Nobody may be running in `home`.
    Begins a new recording."""
    log = read_log(folder)
    share = dice.choice((_all, _newest, _newest, _none))
    pending = list(_pending(home, log))
    undone = _whole_renames(
        [change for changes in pending for change in share(changes, dice)],
        [change for changes in pending for change in changes],
    )
    said = _undo(home, folder, undone, log) + _tear(home, log, dice, share is _all)
    begin(home, folder)
    return said


def _all(changes: list[Change], dice: Random) -> list[Change]:
    return changes


def _none(changes: list[Change], dice: Random) -> list[Change]:
    return []


def _newest(changes: list[Change], dice: Random) -> list[Change]:
    return changes[: dice.randint(0, len(changes))]


def _whole_renames(undone: list[Change], pending: list[Change]) -> list[Change]:
    """`undone`, and the old name of each rename whose new name is among them."""
    renamed = {change.old: change for change in pending if change.old and not change.copy}
    old_names = [renamed[change.ino] for change in undone if change.ino in renamed]
    return [*undone, *(change for change in old_names if change not in undone)]


def _pending(home: Path, log: Log) -> Iterator[list[Change]]:
    """For each folder, the names in it that are not durable, newest first."""
    for root, _, _ in os.walk(home):
        folder = Path(root)
        inode = folder.lstat().st_ino
        now = {e.name: e.inode() for e in os.scandir(folder) if not e.name.endswith(TRUSTED)}
        durable = {name: ino for name, ino in log.names.get(inode, {}).items() if not name.endswith(TRUSTED)}
        if folder == home:
            durable = now  # the folders of the home itself were made long before
        changes = [
            c
            for name in now.keys() | durable.keys()
            if (c := _change(folder, name, now, durable, log.gone, inode))
        ]
        if changes:
            yield sorted(changes, key=lambda c: -c.time_ns)


def _change(
    folder: Path,
    name: str,
    now: dict[str, int],
    durable: dict[str, int],
    gone: dict[tuple[int, str, int], tuple[int, str]],
    inode: int,
) -> Change | None:
    here, old = now.get(name, 0), durable.get(name, 0)
    if here == old:
        return None
    time_ns, copy = gone.get((inode, name, old), (0, ""))
    if old and not time_ns:  # Spark removed it: nothing to bring back
        old = 0
    if not here and not old:
        return None
    return Change(folder, name, max(time_ns, _since(folder / name) if here else 0), here, old, copy)


def _since(path: Path) -> int:
    """When a name appeared, roughly. A folder's own time moves with each name in it, so the oldest below
    counts."""
    below = path.rglob("*") if path.is_dir() and not path.is_symlink() else ()
    times: list[int] = [p.lstat().st_ctime_ns for p in (path, *below)]
    return min(times)


def _undo(home: Path, folder: Path, undone: list[Change], log: Log) -> list[str]:
    """Brings back first, then takes away, so a file whose old name comes back and whose new one goes is never
    nowhere."""
    going = {change.ino: change for change in undone if change.ino}
    back = [c for c in undone if c.old and c.folder.is_dir() and _bring_back(home, folder, c, going, log)]
    said = [f"back: {change.path.relative_to(home)}" for change in back]
    for change in undone:
        if change.ino and os.path.lexists(change.path) and change.path.lstat().st_ino == change.ino:
            _remove(change.path)
            said.append(f"lost: {change.path.relative_to(home)}")
    return said


def _bring_back(home: Path, folder: Path, change: Change, going: dict[int, Change], log: Log) -> bool:
    """Brings back, under its old name, the copy that was kept of a removed file, or the renamed file or
    folder."""
    if change.copy:
        _free(change.path)
        shutil.copy2(folder / recording.KEPT / change.copy, change.path)
        info = change.path.lstat()
        if (change.old, info.st_size, info.st_mtime_ns) in log.contents:
            log.contents.add((info.st_ino, info.st_size, info.st_mtime_ns))
        return True
    moved = next((p for p in home.rglob("*") if p.lstat().st_ino == change.old), None)
    if moved is None or (moved.is_dir() and change.old not in going):
        return False  # a folder has one name only: where the new one is durable, the old one is gone
    _free(change.path)
    if change.old in going:
        moved.rename(change.path)
    else:
        os.link(moved, change.path)
    return True


def _free(path: Path) -> None:
    if os.path.lexists(path):
        _remove(path)


def _tear(home: Path, log: Log, dice: Random, every: bool) -> list[str]:
    """Contents that were never flushed: kept, empty, or cut somewhere."""
    said = []
    for path in sorted(
        p for p in home.rglob("*") if p.is_file() and not p.is_symlink() and not p.name.endswith(TRUSTED)
    ):
        info = path.lstat()
        if (info.st_ino, info.st_size, info.st_mtime_ns) in log.contents or not info.st_size:
            continue
        size = 0 if every else dice.choice((info.st_size, info.st_size, 0, dice.randrange(info.st_size)))
        if size < info.st_size:
            os.truncate(path, size)
            said.append(f"cut to {size} of {info.st_size}: {path.relative_to(home)}")
    return said


def _remove(path: Path) -> None:
    remove: Callable[[Path], object] = shutil.rmtree if path.is_dir() and not path.is_symlink() else os.unlink
    remove(path)
