"""Looking at entrada: what is there, and which of it lies at rest."""

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
    """A file at one look; equal at two looks = unchanged between them."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class Look:
    """`files`: regular files by name. `others`: name -> why it is not taken. `states`: names of downloads' states."""

    files: dict[str, Seen]
    others: dict[str, str]
    states: list[str] = field(default_factory=list)


def look(folder: Path, more: Sequence[str] = ()) -> Look:
    """What lies in `folder`, without hidden names and deliveries under way; `more`: the row's own endings of those."""
    found = Look({}, {})
    with os.scandir(folder) as entries:
        for entry in entries:
            if not partial_names.is_ignored(entry.name, more):
                _note(found, entry)
            elif entry.name.endswith(partial_names.STATE_ENDINGS):
                found.states.append(entry.name)
    for state in found.states:
        if found.files.pop(whole := PurePath(state).stem, None):
            found.others[whole] = f"its download is not over: {shown(state)} lies beside it"
    return found


def settled(room: Room) -> list[str]:
    """Names in entrada that lie at rest, oldest first. Waits once, up to settle_s, when there is a fresh file; says what stays and why."""
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
    still = [
        name
        for name, seen in last.files.items()
        if _at_rest(room, entrada, name, seen, first.files.get(name))
    ]
    return sorted(still, key=lambda name: (last.files[name].mtime_ns, os.fsencode(name)))


def _note(found: Look, entry: os.DirEntry[str]) -> None:
    try:
        info = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # taken away by its producer between listing and look
        return
    if names.is_reason(entry.name):
        found.others[entry.name] = "why a file was refused; no data"
    elif stat.S_ISREG(info.st_mode):
        found.files[entry.name] = Seen(info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns)
    else:
        found.others[entry.name] = next(
            (why for is_kind, why in _KINDS if is_kind(info.st_mode)), "not a regular file"
        )


def _missing_s(seen: Seen, now_ns: int, settle_s: float) -> float:
    """Seconds until the file has its age; one dated in the future is watched for the whole time."""
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
