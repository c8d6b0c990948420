"""Small deliveries for labs: whole files of text lines, and reading results with plain Python."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from jobs.labs.kit.lab import Lab


def deliver(
    lab: Lab, name: str, rows: Iterable[str], folder: str = "entrada", at_s: float | None = None
) -> list[str]:
    """Writes a file of one row a line, and returns the rows.

    The file appears whole, so the source never sees half of it. `at_s` is its modification time: Spark reads
    files in that order.
    """
    delivered = list(rows)
    path = lab.path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{name}")
    hidden.write_text("".join(f"{row}\n" for row in delivered), encoding="utf-8")
    if at_s is not None:
        os.utime(hidden, (at_s, at_s))
    hidden.rename(path)
    return delivered


def numbered(first: int, count: int) -> list[str]:
    return [f"fila-{n}" for n in range(first, first + count)]


def lines(folder: Path) -> list[str]:
    """The lines of every part file below `folder`, as a reader other than Spark sees them."""
    return [
        line
        for part in sorted(folder.rglob("part-*"))
        for line in part.read_text(encoding="utf-8").splitlines()
    ]
