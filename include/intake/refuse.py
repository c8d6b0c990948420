"""Moves refused files into cuarentena, each under a name that is free, with the reason beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from include.intake import names
from include.intake.counting import Scan
from include.intake.types import Refusal, Room, code, shown
from jobs.contract.disk import storage
from jobs.contract.disk.ledger import HASH_CHARS

VERSION = 1
REASON_SUFFIX = ".reason.json"


@dataclass(frozen=True)
class Case:
    """A claim that is not admitted, and why."""

    claim: Path
    scan: Scan
    reason: str


def refuse(room: Room, cases: Sequence[Case]) -> None:
    """Writes the reasons first, then moves the files: after a kill in between, the claim is judged again and
    finds the same name free."""
    if not cases:
        return
    folder = room.layout.refused_files(room.folder)
    storage.make_dirs(storage.confine(room.layout.data, folder))
    pairs = list(zip(cases, _free_names(folder, cases), strict=True))
    storage.replace_all([(folder / f"{name}{REASON_SUFFIX}", _reason(room, case)) for case, name in pairs])
    for error in storage.move_each_new([(case.claim, folder / name) for case, name in pairs]).values():
        raise error
    room.refused += [Refusal(_delivered(case), name, case.reason) for case, name in pairs]


def _free_names(folder: Path, cases: Sequence[Case]) -> list[str]:
    """A free name for each case, in order: hash and safe name, with a number from the second delivery on."""
    taken: dict[str, None] = {}
    for case in cases:
        safe = names.safe_name(names.delivered(case.claim.name, case.scan.content_hash))
        start, number = case.scan.content_hash[:HASH_CHARS], 1
        name = f"{start}-{safe}"
        while name in taken or os.path.lexists(folder / name):
            number += 1
            name = f"{start}.{number}-{safe}"
        taken[name] = None
    return list(taken)


def _delivered(case: Case) -> str:
    return shown(names.delivered(case.claim.name, case.scan.content_hash))


def _reason(room: Room, case: Case) -> bytes:
    return storage.to_json_bytes(
        {
            "version": VERSION,
            "code": code(case.reason),
            "reason": case.reason,
            "original_name": _delivered(case),
            "content_hash": "" if case.scan.only_start else case.scan.content_hash,
            "size_bytes": case.scan.size_bytes,
            "original_mtime_ns": case.scan.mtime_ns,
            "refused_at": datetime.fromtimestamp(room.clock(), UTC).isoformat(timespec="milliseconds"),
            "stream": room.stream.name,
        }
    )
