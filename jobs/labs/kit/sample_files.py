"""Sample invoices of a lab as files: delivered one by one, which batch has read them, what lies in a folder."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from jobs.contract.commit import checkpoint

_APART_S = 60  # the file source goes by the files' times


def samples(folder: Path) -> list[Path]:
    """The lab's sample files, oldest first."""
    return sorted((folder / "muestras").iterdir())


def deliver(file: Path, target: Path, position: int) -> Path:
    """A copy of `file` in the folder `target`, whole at once; the greater `position`, the newer it is."""
    target.mkdir(parents=True, exist_ok=True)
    hidden = target / f".{file.name}"
    shutil.copyfile(file, hidden)
    moment = file.stat().st_mtime + _APART_S * position
    os.utime(hidden, (moment, moment))
    return hidden.replace(target / file.name)


def read_by(path: Path, batch: int) -> list[str]:
    """Names of the files that `batch` of the query with checkpoint `path` read, as its log tells."""
    through = int(checkpoint.read_offset(path, batch).position["logOffset"])
    after = int(checkpoint.read_offset(path, batch - 1).position["logOffset"]) if batch else -1
    return [Path(entry.path).name for entry in checkpoint.planned_entries(path, after, through)]


def parts(folder: Path) -> list[Path]:
    """Data files of an output folder, and of no other; where a file sink kept its log, those that it names (a failed batch leaves others)."""
    found = sorted(folder.glob("part-*"))
    log = folder / "_spark_metadata"
    if not log.is_dir():
        return found
    entries = [
        line for file in log.glob("[0-9]*") for line in file.read_text(encoding="utf-8").splitlines()[1:]
    ]
    named = {Path(json.loads(entry)["path"]).name for entry in entries}
    return [file for file in found if file.name in named]


def lines(files: list[Path]) -> int:
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


def names(folder: Path) -> list[str]:
    """Files that a source would see."""
    return (
        sorted(p.name for p in folder.iterdir() if p.is_file() and not p.name.startswith((".", "_")))
        if folder.is_dir()
        else []
    )
