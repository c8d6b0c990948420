"""Small deliveries for labs: numbered lines in whole files, and what plain Python finds in a folder of results."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from jobs.labs.kit.lab import Lab


def deliver(
    lab: Lab, name: str, rows: Iterable[str], folder: str = "entrada", at_s: float | None = None
) -> list[str]:
    """A file of one row a line, whole under its name; `at_s`: its time (Spark reads files in the order of their times). The rows."""
    found = list(rows)
    path = lab.path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{name}")
    hidden.write_text("".join(f"{row}\n" for row in found), encoding="utf-8")
    if at_s is not None:
        os.utime(hidden, (at_s, at_s))
    hidden.rename(path)
    return found


def numbered(first: int, count: int) -> list[str]:
    return [f"fila-{n}" for n in range(first, first + count)]


def lines(folder: Path) -> list[str]:
    """The lines of every part file below, as any reader that is not Spark sees them."""
    return [
        line
        for part in sorted(folder.rglob("part-*"))
        for line in part.read_text(encoding="utf-8").splitlines()
    ]
