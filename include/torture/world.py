"""One home under torture, and what must come out of it: every delivered record once, published or quarantined; every file in one place."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import duckdb

from include import settings as caudal
from include.samples import facturas as samples
from include.setup import class_data, java
from include.state import journal
from include.torture.runs import Home, below, kill, multiset, python_driver
from jobs.contract.deadline import until
from jobs.contract.disk import failpoints, recording
from jobs.contract.run import report

STREAM = "facturas_ficheros"
START_MS = 1_700_000_000_000
NAMES = (
    "f.json",
    "entrega ñ.json",
    "a[1]{x}.json",
    "b:2.json",
)  # the same names come again and again, with other content
COMMAND_S = 180.0


@dataclass
class World:
    """`rows`, `bad`: what must stand published and in quarantine, as multisets. `contents`: sha256 of what was delivered."""

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
        return self.folder / "record"

    def deliver(self, bad: bool = False) -> None:
        """A new file, with malformed lines now and then or where `bad`; now and then the file before once more, under another name."""
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
        os.utime(path, (time.time() - 60, time.time() - 60))
        for durable in (path, path.parent):  # a producer's duty
            recording.flushed(durable, self.record)
        return True

    def _new_file(self, bad: bool) -> bytes:
        number = len(self.contents)
        lines = samples.generate(self.dice.randint(3, 40), seed=1 + number, start_ms=START_MS).documents
        if bad:
            lines = [*lines, f'{{"cut off": "{number}']
        return "".join(f"{line}\n" for line in lines).encode()

    def _expect(self, data: bytes) -> None:
        number = len(self.contents)
        self.contents.append(hashlib.sha256(data).hexdigest())
        documents = data.decode().splitlines()
        self.bad.update(line for line in documents if line.startswith('{"cut off'))
        count = len(documents) - sum(line.startswith('{"cut off') for line in documents)
        self.rows += multiset(samples.generate(count, seed=1 + number, start_ms=START_MS).expected_lines())

    def environ(self, failpoint: str = "") -> dict[str, str]:
        root = self.home.settings.root
        own = {"CAUDAL_PYTHON": sys.executable, "PYTHONPATH": str(root), "NO_COLOR": "1"}
        armed = {failpoints.VARIABLE: failpoint} if failpoint else {}
        return {
            **self.home.settings.environ,
            **own,
            **armed,
            **({recording.VARIABLE: str(self.record)} if self.power_cuts else {}),
        }

    def start(self, words: list[str], failpoint: str = "") -> subprocess.Popen[str]:
        """A command of this home; stdout and stderr together."""
        root = self.home.settings.root
        return subprocess.Popen(
            words,
            cwd=root,
            env=self.environ(failpoint),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def do(self, words: list[str], failpoint: str = "") -> tuple[int, str]:
        process = self.start(words, failpoint)
        out, _ = process.communicate(timeout=COMMAND_S)
        return process.returncode, out

    def kill_at_random(self) -> bool:
        """Starts a run, and kills JVM, Python driver or both at some moment."""
        process = self.start(launcher())
        time.sleep(self.dice.uniform(0.05, 6.0))
        return self._kill_some(process)

    def kill_half_written(self) -> bool:
        """Starts a run, and kills while the first part of a batch is being written; False when the batch was quicker."""
        process, staging = self.start(launcher()), self.layout.staging(STREAM)
        while process.poll() is None and not any(below(staging, "part-")):
            time.sleep(0.001)
        return self._kill_some(process)

    def _kill_some(self, process: subprocess.Popen[str]) -> bool:
        """False when the run had ended before."""
        victim = self.dice.choice(("jvm", "python", "both"))
        driver = python_driver(process.pid)
        if driver is not None and victim != "jvm":
            kill_if_there(driver.pid)
        if driver is None or victim != "python":
            kill_if_there(process.pid)
        process.communicate(timeout=COMMAND_S)
        return process.returncode != 0

    def quiet(self, timeout_s: float = 30.0) -> bool:
        """Whether every process of this home is gone in time."""
        return until(lambda: not self.home.processes(), timeout_s, 0.05)

    def error(self) -> dict[str, Any]:
        """The error of the newest run's report; {} without one."""
        found = next(
            (r for path in report.newest(self.layout.runs(STREAM)) if (r := report.read(path))), None
        )
        return (found.error if found else None) or {}

    def faults(self) -> list[str]:
        """What is wrong with this home at rest, in words; nothing when all is right."""
        return [text for text in (*self._wrong_rows(), *self._wrong_files(), *self._wrong_journal()) if text]

    def _wrong_rows(self) -> Iterator[str]:
        yield _difference("published rows", self.home.rows(), self.rows)
        glob = f"{self.layout.salida(STREAM)}/gen=*/batch=*/part-*"
        if self.rows:
            query = f"select count(*) from read_json('{glob}', format='newline_delimited')"
            counted = duckdb.sql(query).fetchall()[0][0]
            yield (
                "" if counted == self.rows.total() else f"DuckDB counts {counted} rows of {self.rows.total()}"
            )
        parts = (self.layout.data / "cuarentena" / STREAM / "registros").glob("gen=*/batch=*/part-*")
        raw = Counter(
            json.loads(line)["raw"]
            for part in parts
            for line in part.read_text(encoding="utf-8").splitlines()
        )
        yield _difference("quarantined records", raw, self.bad)

    def _wrong_files(self) -> Iterator[str]:
        folders = (self.layout.entrada(STREAM), self.layout.en_proceso(STREAM), self.layout.archivo(STREAM))
        found = [p for folder in folders for p in folder.rglob("*") if p.is_file()]
        hashes = Counter(
            hashlib.sha256(p.read_bytes()).hexdigest() for p in found if not p.name.startswith(".tmp-")
        )
        yield _difference("files", hashes, Counter(self.contents))

    def _wrong_journal(self) -> Iterator[str]:
        yield from (
            f"{cut.kind} {cut.id} is still open"
            for cut in journal.open_operations(self.layout.journal(STREAM))
        )

    def wrong_by_spark(self) -> str:
        """As the row check of `faults`, read by Spark with the documented glob."""
        glob = f"{self.layout.salida(STREAM)}/gen=*/batch=*/part-*"
        settings = self.home.settings
        words = [
            sys.executable,
            "-c",
            _SPARK,
            glob,
            json.dumps(class_data.short_driver(settings, java.find(settings))),
        ]
        done = subprocess.run(
            words, env=self.environ(), capture_output=True, text=True, timeout=COMMAND_S, check=True
        )
        return _difference(
            "rows by Spark", multiset(json.loads(line) for line in done.stdout.splitlines()), self.rows
        )


_SPARK = """import json, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").config(map=json.loads(sys.argv[2])).getOrCreate()
print("\\n".join(spark.read.json(sys.argv[1]).toJSON().collect()))
"""


def launcher() -> list[str]:
    return [
        str(caudal.ROOT / "include/launch/launcher"),
        "--master",
        "local[2]",
        f"jobs/{STREAM}.py",
        "--stream",
        STREAM,
    ]


def verb(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "include.cli", *words]


def kill_if_there(pid: int) -> None:
    try:
        kill(pid)
    except ProcessLookupError:
        return


def _difference(what: str, found: Counter[str], wanted: Counter[str]) -> str:
    if found == wanted:
        return ""
    return f"{what}: {(wanted - found).total()} lost, {(found - wanted).total()} too many of {wanted.total()}"
