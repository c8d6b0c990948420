"""A lab's sample files: delivers them one by one, tells which batch read them, and counts what is in a
folder."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from jobs.contract.commit import checkpoint

_APART_S = 60  # between two files: the file source reads them in the order of their modification times


def samples(folder: Path) -> list[Path]:
    """The lab's sample files, oldest first."""
    return sorted((folder / "muestras").iterdir())


def deliver(file: Path, target: Path, position: int) -> Path:
    """Copies `file` into the folder `target`, where it appears whole; a greater `position` makes it newer."""
    target.mkdir(parents=True, exist_ok=True)
    hidden = target / f".{file.name}"
    shutil.copyfile(file, hidden)
    moment = file.stat().st_mtime + _APART_S * position
    os.utime(hidden, (moment, moment))
    return hidden.replace(target / file.name)


def read_by(path: Path, batch: int) -> list[str]:
    """Names of the files that `batch` read, from the log of the query's checkpoint `path`."""
    through = int(checkpoint.read_offset(path, batch).position["logOffset"])
    after = int(checkpoint.read_offset(path, batch - 1).position["logOffset"]) if batch else -1
    return [Path(entry.path).name for entry in checkpoint.planned_entries(path, after, through)]


def parts(folder: Path) -> list[Path]:
    """Data files directly in an output folder. Where a file sink kept its log, only those that the log names,
    because a failed batch leaves others."""
    files = sorted(folder.glob("part-*"))
    log = folder / "_spark_metadata"
    if not log.is_dir():
        return files
    entries = [
        line for file in log.glob("[0-9]*") for line in file.read_text(encoding="utf-8").splitlines()[1:]
    ]
    named = {Path(json.loads(entry)["path"]).name for entry in entries}
    return [file for file in files if file.name in named]


def lines(files: list[Path]) -> int:
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


def names(folder: Path) -> list[str]:
    """Names of the files that a source would see."""
    paths = folder.iterdir() if folder.is_dir() else ()
    return sorted(path.name for path in paths if path.is_file() and not path.name.startswith((".", "_")))
