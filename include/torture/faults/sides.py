"""The two sides of the table. A fault is written once, in words that both sides understand; what they come to is counted alike."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include import settings as caudal
from include.samples import facturas as samples
from include.setup import class_data, java
from include.torture.faults import records
from include.torture.runs import Home, below, multiset, python_driver
from jobs.contract.deadline import attempts

STREAM = "facturas_ficheros"
START_MS = 1_700_000_000_000
SETTLED_S = 60  # older than any settle_s
MOMENT_S = 600.0  # a run takes minutes on a machine that others use, too
WRITTEN_BYTES = 1024 * 1024  # of some 15 MB: in the middle of the write
_REPAIR = re.compile(r"remove (\S+) and (\S+) there")


@dataclass(frozen=True)
class Ends:
    """How one side ended, in rows; a malformed record counts as one.

    `lost`: nowhere, and the last run ended with 0; `stuck`: not there, and the last run said so; `many`: rows that nobody delivered, or
    delivered once and read twice; `refused`: in quarantine, with their reason. `codes`: of each run from the fault on. `said`: errors and reasons.
    """

    delivered: int
    lost: int
    stuck: int
    many: int
    refused: int
    codes: tuple[int, ...]
    said: tuple[str, ...] = ()


class Side(ABC):
    """One stream of files in `folder`. `rows`, `bad`: what must come out of it: rows as a multiset, malformed lines by invoice number."""

    entrada: Path

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: Counter[str] = Counter()
        self.bad: dict[str, str] = {}
        self.said: list[str] = []

    def put(self, name: str, seed: int, count: int = 50, *, spoiled: bool = False) -> Path:
        """A whole file of `count` invoices, and one malformed line of each kind behind them where `spoiled`."""
        sample = samples.generate(count, seed=seed, start_ms=START_MS)
        bad = records.spoiled(samples.documents(len(records.KINDS), seed + 1000, START_MS)) if spoiled else {}
        self.rows += multiset(sample.expected_lines())
        self.bad |= bad
        return self.write(name, "".join(f"{line}\n" for line in (*sample.documents, *bad.values())))

    def write(self, name: str, text: str, mtime_s: float | None = None) -> Path:
        path = self.entrada / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.settle(path, mtime_s)
        return path

    def settle(self, path: Path, mtime_s: float | None = None) -> None:
        """Nobody writes it any more, for a minute, or since `mtime_s`."""
        os.utime(path, (mtime_s or time.time() - SETTLED_S,) * 2)

    def run(self) -> int:
        return self.end(self.start())

    def end(self, process: subprocess.Popen[str]) -> int:
        process.communicate()
        return process.returncode

    def kill_when(self, moment: Callable[[], bool]) -> None:
        """kill -9 of a run at `moment`; its Python driver ends by itself. Raises AssertionError when the moment was not met: no fault was done."""
        process = self.start()
        met(moment, process)
        driver = python_driver(process.pid)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if driver is not None:
            driver.wait(timeout=30)

    def planned(self) -> bool:
        return any(path.name.isdigit() for path in self.checkpoint.glob("offsets/*"))

    def written(self) -> bool:
        return sum(_size(part) for part in below(self.writing, "part-")) > WRITTEN_BYTES

    def drop(self, path: Path) -> None:
        shutil.rmtree(path)  # the very fault that is measured, in a temporary folder

    def empty_last_offset(self) -> None:
        newest = max(
            int(path.name) for path in (self.checkpoint / "offsets").iterdir() if path.name.isdigit()
        )
        for name in (f"{newest}", f".{newest}.crc"):
            path = self.checkpoint / "offsets" / name
            if path.exists():
                os.truncate(path, 0)

    def ends(self, codes: list[int]) -> Ends:
        found, raw = self.published(), self.quarantined()
        seen = {
            json.loads(row).get("InvoiceNumber") for row in found if row.startswith("{") and row.endswith("}")
        }
        gone = sum(line not in raw and number not in seen for number, line in self.bad.items())
        missing = (self.rows - found).total() + gone
        lost, stuck = (missing, 0) if codes[-1] == 0 else (0, missing)
        many = (found - self.rows).total()
        return Ends(
            self.rows.total() + len(self.bad),
            lost,
            stuck,
            many,
            raw.total(),
            tuple(codes),
            tuple(dict.fromkeys(self.said)),
        )

    @abstractmethod
    def start(self) -> subprocess.Popen[str]: ...
    @abstractmethod
    def published(self) -> Counter[str]: ...
    @abstractmethod
    def quarantined(self) -> Counter[str]: ...
    @abstractmethod
    def move_away(self, name: str) -> None: ...
    @abstractmethod
    def mend(self) -> None:
        """What there is to do after a run that did not end with 0: what its error says, else nothing but another run."""

    @property
    @abstractmethod
    def checkpoint(self) -> Path: ...
    @property
    @abstractmethod
    def output(self) -> Path: ...
    @property
    @abstractmethod
    def writing(self) -> Path: ...


class Plain(Side):
    """The course's own way: landing folder, output and checkpoint, cared for by hand."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.entrada = folder / "in"
        self.entrada.mkdir()

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint"

    @property
    def output(self) -> Path:
        return self.folder / "out"

    writing = output

    def start(self) -> subprocess.Popen[str]:
        return submit("plain_job.py", *map(str, (self.entrada, self.output, self.checkpoint)))

    def published(self) -> Counter[str]:
        return Counter(
            _row(line)
            for part in self.output.glob("part-*")
            for line in part.read_text(encoding="utf-8").splitlines()
        )

    def quarantined(self) -> Counter[str]:
        return Counter()

    def move_away(self, name: str) -> None:
        (self.entrada / name).rename(self.folder / name)

    def mend(self) -> None:
        return


class Caudal(Side):
    """A home of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.home = Home.at(folder / "home", STREAM)
        self.layout = self.home.settings.layout
        self.entrada = self.layout.entrada(STREAM)
        self.moved: list[tuple[Path, Path]] = []

    @property
    def checkpoint(self) -> Path:
        return self.home.checkpoint

    @property
    def output(self) -> Path:
        return self.layout.output(STREAM, 1)

    @property
    def writing(self) -> Path:
        return self.layout.staging(STREAM)

    def start(self) -> subprocess.Popen[str]:
        return self.home.start()

    def end(self, process: subprocess.Popen[str]) -> int:
        process.communicate()
        if process.returncode == 75:
            self.said.append("lease-held")
        elif process.returncode:
            self.said.append(str(self._error().get("code", "")))
        return process.returncode

    def _error(self) -> dict[str, Any]:
        return self.home.report().error or {}

    def published(self) -> Counter[str]:
        return self.home.rows()

    def quarantined(self) -> Counter[str]:
        return Counter(record["raw"] for record in self._records())

    def _records(self) -> Iterator[dict[str, Any]]:
        for part in (self.layout.data / "cuarentena" / STREAM / "registros").glob("gen=*/batch=*/part-*"):
            yield from map(json.loads, part.read_text(encoding="utf-8").splitlines())

    def ends(self, codes: list[int]) -> Ends:
        self.said += sorted({f"record refused: {record['reason']}" for record in self._records()})
        self.said += sorted({f"file refused: {code}" for code in self._refused_files()})
        return super().ends(codes)

    def _refused_files(self) -> Iterator[str]:
        for path in self.layout.refused_files(STREAM).glob("*.reason.json"):
            yield str(json.loads(path.read_text(encoding="utf-8"))["code"])

    def move_away(self, name: str) -> None:
        path = next(
            path for path in self.layout.en_proceso(STREAM).iterdir() if path.name.endswith(f"-{name}")
        )
        self.moved.append((path, self.folder / name))
        path.rename(self.folder / name)

    def mend(self) -> None:
        error = self._error()
        match = _REPAIR.search(str(error.get("cli", "")))
        if error.get("code") == "planned-file-missing":
            for place, now in self.moved:
                now.rename(place)
        elif error.get("code") == "pairing-broken":
            self.verb("generation", "reset", STREAM, "--apply")
        elif match:
            for name in match.groups():
                (Path(str(error["where"])).parent / name).unlink(missing_ok=True)

    def verb(self, *words: str) -> None:
        environ = {**self.home.settings.environ, "PYTHONPATH": str(self.home.settings.root)}
        subprocess.run(
            [sys.executable, "-P", "-m", "include.cli", *words], env=environ, check=True, capture_output=True
        )


def met(moment: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Waits for `moment`. Raises AssertionError when the process ended before it, or it did not come in time; the process is killed then."""
    for _ in attempts(MOMENT_S, 0.001):
        if moment():
            return
        if process.poll() is not None:
            break
    process.kill()
    raise AssertionError("the moment of the fault was not met")


def submit(job: str, *words: str) -> subprocess.Popen[str]:
    """A plain job of this folder's parent, with Spark's own defaults."""
    settings, home = caudal.load(), class_data.spark_home()
    found = java.find(settings)
    launcher = " ".join(class_data.JVM_OPTIONS)
    own = {
        "JAVA_HOME": str(found.home),
        "SPARK_HOME": str(home),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LAUNCHER_OPTS": launcher,
    }
    # as Caudal's short runs: a JVM that starts in half the time writes no other rows
    quick = [
        word
        for key, value in class_data.short_driver(settings, found).items()
        for word in ("--conf", f"{key}={value}")
    ]
    line = [
        str(home / "bin/spark-submit"),
        "--master",
        "local[2]",
        *quick,
        str(Path(__file__).parent.with_name(job)),
        *words,
    ]
    environ, null = {**settings.environ, **own}, subprocess.DEVNULL
    return subprocess.Popen(line, env=environ, stdin=null, stdout=null, stderr=null, text=True)


def _row(line: str) -> str:
    """A row as text; a torn line is a row too many, whatever a reader makes of it."""
    try:
        return next(iter(multiset([json.loads(line)])))
    except (ValueError, AttributeError):
        return line


def _size(part: Path) -> int:
    try:
        return part.lstat().st_size
    except FileNotFoundError:
        return 0
