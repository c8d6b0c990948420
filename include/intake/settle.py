"""Looks into entrada: which files are there, and which of them are at rest."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from include.intake import names
from include.intake.counting import check_no_writer
from include.intake.types import Busy, Room, shown
from jobs.contract.stream import partial_names

NS = 1_000_000_000
_KINDS = (
    (stat.S_ISLNK, "a link; links are never followed"),
    (stat.S_ISDIR, "a folder; only files directly in entrada are taken"),
)


@dataclass(frozen=True)
class Seen:
    """A file at one look. If it is equal at two looks, it has not changed between them."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class Look:
    """`files`: regular files by name. `others`: name -> why it is not taken. `states`: names of the files in
    which a download program keeps its state."""

    files: dict[str, Seen]
    others: dict[str, str]
    states: list[str] = field(default_factory=list)


def look(folder: Path, more: Sequence[str] = ()) -> Look:
    """What lies in `folder`, without hidden names and deliveries under way.

    `more`: further endings of deliveries under way, from the row.
    """
    now = Look({}, {})
    with os.scandir(folder) as entries:
        for entry in entries:
            if not partial_names.is_ignored(entry.name, more):
                _note(now, entry)
            elif entry.name.endswith(partial_names.STATE_ENDINGS):
                now.states.append(entry.name)
    for state in now.states:
        if now.files.pop(whole := PurePath(state).stem, None):
            now.others[whole] = f"its download is not over: {shown(state)} lies beside it"
    return now


def settled(room: Room) -> list[str]:
    """Names of the files in entrada that are at rest, oldest first. It reports which files stay, and why.

    If there is a fresh file, it waits once, at most settle_s seconds.
    """
    entrada = room.layout.entrada(room.folder)
    first = look(entrada, room.under_way)
    now_ns = int(room.clock() * NS)
    missing_s = [_missing_s(seen, now_ns, room.settle_s) for seen in first.files.values()]
    last = first
    if any(s > 0 for s in missing_s):
        room.sleep(max(missing_s))
        last = look(entrada, room.under_way)
    for name, why in last.others.items():
        room.wait(name, why)
    before = first.files
    still = [
        name for name, seen in last.files.items() if _at_rest(room, entrada, name, seen, before.get(name))
    ]
    return sorted(still, key=lambda name: (last.files[name].mtime_ns, os.fsencode(name)))


def _note(look: Look, entry: os.DirEntry[str]) -> None:
    try:
        info = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # its producer took it away since the listing
        return
    if names.is_reason(entry.name):
        look.others[entry.name] = "why a file was refused; no data"
    elif stat.S_ISREG(info.st_mode):
        look.files[entry.name] = Seen(info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns)
    else:
        kinds = (why for is_kind, why in _KINDS if is_kind(info.st_mode))
        look.others[entry.name] = next(kinds, "not a regular file")


def _missing_s(seen: Seen, now_ns: int, settle_s: float) -> float:
    """Seconds until the file is settle_s old. A file dated in the future is watched for the whole time."""
    age_s = (now_ns - seen.mtime_ns) / NS
    return settle_s if age_s < 0 else settle_s - age_s


def _at_rest(room: Room, entrada: Path, name: str, now: Seen, before: Seen | None) -> bool:
    if before != now:
        room.wait(name, "still changing" if before else "has just arrived")
        return False
    try:
        check_no_writer(entrada / name)
    except Busy as busy:
        room.wait(name, str(busy))
        return False
    return True
