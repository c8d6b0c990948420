"""One home under torture, and what must come out of it: every delivered record once, published or in
quarantine, and every file in one place."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from include.samples import facturas as samples
from include.state import journal
from include.torture.runs import (
    STREAM,
    Home,
    below,
    difference,
    ended,
    kill_run,
    launcher,
    multiset,
    settle,
)
from jobs.contract.deadline import until
from jobs.contract.disk import failpoints, recording

START_MS = 1_700_000_000_000
# the same names come again and again, with other content
NAMES = ("f.json", "entrega ñ.json", "a[1]{x}.json", "b:2.json")
COMMAND_S = 180.0
_CUT_OFF = '{"cut off"'  # how a malformed line begins


@dataclass
class World:
    """`rows`, `bad`: what must stand published and in quarantine, as multisets. `contents`: sha256 of what
    was delivered."""

    folder: Path
    dice: Random
    power_cuts: bool = False
    rows: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)
    contents: list[str] = field(default_factory=list)
    last: bytes = b""

    def __post_init__(self) -> None:
        self.home = Home.at(self.folder / "home", STREAM)
        self.layout = self.home.settings.layout
        self.layout.entrada(STREAM).mkdir(parents=True)
        self.record.mkdir()

    @property
    def record(self) -> Path:
        """Where the processes of this home note what they flush."""
        return self.folder / "record"

    def deliver(self, bad: bool = False) -> None:
        """A new file, with a malformed line in half of them or where `bad`; one time in seven the file before
        once more, under another name."""
        if self.last and self.dice.random() < 0.15:
            self._put(self.last)
        data = self._new_file(bad or self.dice.random() < 0.5)
        if self._put(data):
            self._expect(data)
            self.last = data

    def has_room(self) -> bool:
        """Whether a name is free in entrada."""
        return len(list(self.layout.entrada(STREAM).iterdir())) < len(NAMES)

    def _put(self, data: bytes) -> bool:
        """False when a file of that name waits there already."""
        path = self.layout.entrada(STREAM) / self.dice.choice(NAMES)
        if path.exists():
            return False
        path.write_bytes(data)
        settle(path)
        for durable in (path, path.parent):  # a producer's duty
            recording.flushed(durable, self.record)
        return True

    def _new_file(self, bad: bool) -> bytes:
        number = len(self.contents)
        lines = samples.generate(self.dice.randint(3, 40), seed=1 + number, start_ms=START_MS).documents
        if bad:
            lines = [*lines, f'{_CUT_OFF}: "{number}']
        return "".join(f"{line}\n" for line in lines).encode()

    def _expect(self, data: bytes) -> None:
        number = len(self.contents)
        self.contents.append(hashlib.sha256(data).hexdigest())
        documents = data.decode().splitlines()
        bad = [line for line in documents if line.startswith(_CUT_OFF)]
        self.bad.update(bad)
        sample = samples.generate(len(documents) - len(bad), seed=1 + number, start_ms=START_MS)
        self.rows += multiset(sample.expected_lines())

    def start(self, line: Sequence[str], failpoint: str = "") -> subprocess.Popen[str]:
        """A command of this home, recorded where the power may be cut; stdout and stderr come together."""
        armed = {failpoints.VARIABLE: failpoint} if failpoint else {}
        recorded = {recording.VARIABLE: str(self.record)} if self.power_cuts else {}
        return self.home.spawn(line, **armed, **recorded)

    def do(self, line: Sequence[str], failpoint: str = "") -> tuple[int, str]:
        return ended(self.start(line, failpoint), COMMAND_S)

    def kill_at_random(self) -> bool:
        """Starts a run, and kills JVM, Python driver or both at some moment; False when it had ended
        before."""
        process = self.start(launcher())
        time.sleep(self.dice.uniform(0.05, 6.0))
        return self._kill_some(process)

    def kill_half_written(self) -> bool:
        """Starts a run, and kills while the first part of a batch is being written; False when it was
        quicker."""
        process, staging = self.start(launcher()), self.layout.staging(STREAM)
        while process.poll() is None and not any(below(staging, "part-")):
            time.sleep(0.001)
        return self._kill_some(process)

    def _kill_some(self, process: subprocess.Popen[str]) -> bool:
        return kill_run(process, self.dice.choice(("jvm", "driver", "both")))

    def quiet(self, timeout_s: float = 30.0) -> bool:
        """Whether every process of this home is gone in time."""
        return until(lambda: not self.home.processes(), timeout_s, 0.05)

    def faults(self) -> list[str]:
        """What is wrong with this home at rest, in words; empty when all is right."""
        return [text for text in (*self._wrong_rows(), *self._wrong_files(), *self._wrong_journal()) if text]

    def _wrong_rows(self) -> Iterator[str]:
        yield difference("published rows", self.home.rows(), self.rows)
        if self.rows and (count := self.home.duckdb_count()) != self.rows.total():
            yield f"DuckDB counts {count} rows of {self.rows.total()}"
        refused = Counter(record["raw"] for record in self.home.refused_records())
        yield difference("quarantined records", refused, self.bad)

    def _wrong_files(self) -> Iterator[str]:
        folders = (self.layout.entrada(STREAM), self.layout.en_proceso(STREAM), self.layout.archivo(STREAM))
        paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        hashes = Counter(
            hashlib.sha256(path.read_bytes()).hexdigest()
            for path in paths
            if not path.name.startswith(".tmp-")
        )
        yield difference("files", hashes, Counter(self.contents))

    def _wrong_journal(self) -> Iterator[str]:
        for operation in journal.open_operations(self.layout.journal(STREAM)):
            yield f"{operation.kind} {operation.id} is still open"

    def wrong_by_spark(self) -> str:
        """As the row check of `faults`, read by Spark with the documented glob."""
        return difference("rows by Spark", self.home.rows_by_spark(), self.rows)
