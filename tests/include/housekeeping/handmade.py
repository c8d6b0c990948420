"""A home as intake, Spark and the job leave it, written by hand.

Intake and ledger are real; checkpoint files and manifests may have any shape.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from include import intake
from include import settings as caudal
from include.settings import Settings
from include.state import generations
from include.state.generations import Generation
from jobs.contract.commit import manifest
from jobs.contract.commit.batch_plan import read as batch_plan
from jobs.contract.commit.manifest import Manifest
from jobs.contract.disk.layout import MANIFEST, Layout
from jobs.contract.stream import Files, Stream

STREAM = Stream("s", Files(settle_s=0.0), Files())
QUERY = "0b3d7b62-2e0f-4a53-9a55-1f2d3c4b5a69"
ADMITTED = datetime(2026, 11, 23, 23, 59, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
DAY = "2026-11-23"
MTIME_NS = 1_700_000_000_123_000_000


@dataclass
class Hand:
    """`ends`: the source's log offset at the end of each planned batch. `log`: (file name, log offset) of all
    batches."""

    path: Path
    ends: dict[int, int] = field(default_factory=dict)
    log: list[tuple[str, int]] = field(default_factory=list)
    delivered: int = 0

    def __post_init__(self) -> None:
        self.settings: Settings = caudal.load({"CAUDAL_HOME": str(self.path)})
        self.layout: Layout = self.settings.layout
        self.checkpoint = self.layout.checkpoint("s", 1)
        self.here = self.layout.en_proceso("s")
        if not self.checkpoint.exists():
            generations.begin(self.layout, Generation("s", 1, 0, "", {}, ADMITTED.isoformat()))
            for folder in ("offsets", "commits", "sources/0"):
                (self.checkpoint / folder).mkdir(parents=True)
            (self.checkpoint / "metadata").write_text(json.dumps({"id": QUERY}))

    def admit(self, *contents: bytes, at: datetime = ADMITTED) -> list[str]:
        """Admitted names of new files with these contents, through the real intake."""
        entrada = self.layout.entrada("s")
        entrada.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(contents):
            path = entrada / f"f{self.delivered + number:04d}.json"
            path.write_bytes(data)
            os.utime(path, ns=(MTIME_NS, MTIME_NS + (self.delivered + number) * 1_000_000))
        self.delivered += len(contents)
        return [e.name for e in intake.admit(self.layout, STREAM, at.timestamp, lambda _: None).admitted]

    def batch(self, *groups: Sequence[str], committed: bool = True, published: bool = True) -> int:
        """Adds a batch with the files of `groups`; each group has its own log offset.

        A batch has several log offsets if Spark planned it more than once.
        """
        batch, offset = len(self.ends), max(self.ends.values(), default=-1)
        for names in groups:
            offset += 1
            self.enter(names, offset)
        self.ends[batch] = offset
        meta = json.dumps({"batchWatermarkMs": 0, "batchTimestampMs": 1, "conf": {}})
        (self.checkpoint / "offsets" / str(batch)).write_text(f'v1\n{meta}\n{{"logOffset":{offset}}}')
        if published:
            self._publish(batch)
        if committed:
            (self.checkpoint / "commits" / str(batch)).write_text('v1\n{"nextBatchWatermarkMs":0}')
        return batch

    def enter(self, names: Sequence[str], offset: int) -> None:
        """Writes the source log's file for one log offset."""
        self.log += [(name, offset) for name in names]
        self._write_log(self.checkpoint / "sources/0" / str(offset), [(name, offset) for name in names])

    def compact(self, through: int) -> None:
        """Replaces the source log's files up to `through` by one compact file, as Spark does."""
        folder = self.checkpoint / "sources/0"
        self._write_log(folder / f"{through}.compact", [entry for entry in self.log if entry[1] <= through])
        for path in folder.iterdir():
            if path.name.isdigit() and int(path.name) <= through:
                path.unlink()

    def forget(self, through: int) -> None:
        """Removes offsets and commits up to batch `through`, as Spark does beyond its 100 batches."""
        for folder in ("offsets", "commits"):
            for batch in range(through + 1):
                (self.checkpoint / folder / str(batch)).unlink()

    def places(self) -> dict[str, list[str]]:
        """Admitted name -> the folders it lies in, relative to data; every file of en_proceso and archivo."""
        found: dict[str, list[str]] = {}
        for root in (self.here, self.layout.archivo("s")):
            for parent, _, names in os.walk(root):
                for name in names:
                    found.setdefault(name, []).append(str(Path(parent).relative_to(self.layout.data)))
        return found

    def _write_log(self, path: Path, entries: Sequence[tuple[str, int]]) -> None:
        lines = [
            json.dumps(
                {"path": f"file://{quote(str(self.here / n))}", "timestamp": 1, "batchId": o},
                separators=(",", ":"),
            )
            for n, o in entries
        ]
        path.write_text("\n".join(["v1", *lines]))

    def _publish(self, batch: int) -> None:
        plan = batch_plan(self.checkpoint, batch, QUERY)
        folder = self.layout.batch("s", 1, batch)
        folder.mkdir(parents=True)
        made = Manifest("s", QUERY, 1, batch, plan.input_digest, plan.start, plan.end, (), 1, 1, 0, "", "run")
        (folder / MANIFEST).write_bytes(made.to_json())
        assert manifest.read(folder).identity == plan.identity

    def copy_to(self, path: Path) -> Hand:
        """The same home elsewhere; its source log still names the old place."""
        shutil.copytree(self.path, path, symlinks=True)
        return Hand(path, dict(self.ends), list(self.log), self.delivered)
