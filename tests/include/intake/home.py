"""A home with one file stream, for the tests of intake. It delivers files, runs admit, and reads back where
each file is."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from include.intake import Intake, admit
from jobs.contract.disk.layout import Layout
from jobs.contract.stream import Files, Stream

NOW = 1_800_000_000.0  # seconds; the tests' clock starts here
OLD_NS = 1_700_000_000_123_456_789


@dataclass
class Home:
    path: Path
    stream: Stream = field(default_factory=lambda: Stream("s", Files(settle_s=2.0), Files()))
    now: float = NOW
    slept: list[float] = field(default_factory=list)

    @property
    def layout(self) -> Layout:
        return Layout(self.path)

    @property
    def entrada(self) -> Path:
        return self.layout.entrada("s")

    def deliver(self, name: str | bytes, data: bytes, mtime_ns: int = OLD_NS) -> Path:
        self.entrada.mkdir(parents=True, exist_ok=True)
        path = self.entrada / os.fsdecode(name)
        path.write_bytes(data)
        os.utime(path, ns=(mtime_ns, mtime_ns))
        return path

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def admit(self) -> Intake:
        return admit(self.layout, self.stream, lambda: self.now, self.sleep)

    def visible(self) -> dict[str, bytes]:
        return contents(self.layout.en_proceso("s"))

    def refused(self) -> dict[str, bytes]:
        return {
            k: v
            for k, v in contents(self.layout.refused_files("s")).items()
            if not k.endswith(".reason.json")
        }

    def everywhere(self) -> Counter[bytes]:
        """Every delivered content, once for each file that holds it, wherever it lies now."""
        places = (self.entrada, self.layout.claims("s"))
        found = [
            *self.visible().values(),
            *self.refused().values(),
            *(v for p in places for v in contents(p).values()),
        ]
        return Counter(found)

    def rows(self) -> list[tuple[str, int, int, int, int]]:
        """(name, records, original mtime, mtime, finished) of the ledger, in order of sequence."""
        with closing(sqlite3.connect(self.layout.ledger("s"))) as db:
            return db.execute(
                "SELECT name, records, original_mtime_ns, mtime_ms, finished FROM entry ORDER BY sequence"
            ).fetchall()


def contents(folder: Path) -> dict[str, bytes]:
    """Plain files directly in a folder, hidden ones left out."""
    if not folder.is_dir():
        return {}
    return {
        p.name: p.read_bytes()
        for p in folder.iterdir()
        if p.is_file() and not p.is_symlink() and not p.name.startswith(".")
    }
