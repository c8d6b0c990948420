"""The two sides of the table: a plain Spark job and Caudal. A fault is written once, as steps that both sides
have; the results are counted by the same code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
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
from include.torture.runs import STREAM, Home, below, ended, kill_jvm, multiset, settle, verb, wait_for

START_MS = 1_700_000_000_000
MOMENT_S = 600.0  # until a fault's moment: a run takes minutes on a machine that others use, too
WRITTEN_BYTES = 1024 * 1024  # of about 15 MB: in the middle of the write


@dataclass(frozen=True)
class Ends:
    """How one side ended, in rows; a malformed record counts as one.

    `lost`: nowhere, and the last run ended with 0; `stuck`: missing, and the last run failed; `many`: rows
    that nobody delivered, or delivered once and read twice; `refused`: in quarantine, with their reason.
    `codes`: the exit codes of the runs from the fault on. `said`: error codes and reasons.
    """

    delivered: int
    lost: int
    stuck: int
    many: int
    refused: int
    codes: tuple[int, ...]
    said: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, delivered: int, missing: int, many: int, refused: int, codes: list[int], said: list[str]
    ) -> Ends:
        """Missing rows are lost when the last run ended with 0, else stuck."""
        lost, stuck = (missing, 0) if codes[-1] == 0 else (0, missing)
        return cls(delivered, lost, stuck, many, refused, tuple(codes), tuple(dict.fromkeys(said)))


class Side(ABC):
    """One stream of files in `folder`. `rows`, `bad`: what must come out of it, rows as a multiset and
    malformed lines by invoice number. `tries`: how often it is mended and run again after a failed run."""

    entrada: Path
    tries = 3

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: Counter[str] = Counter()
        self.bad: dict[str, str] = {}
        self.said: list[str] = []

    def put(self, name: str, seed: int, count: int = 50, *, spoiled: bool = False) -> Path:
        """A whole file of `count` invoices, with one malformed line of each kind at its end where
        `spoiled`."""
        sample = samples.generate(count, seed=seed, start_ms=START_MS)
        bad = records.spoiled(samples.documents(len(records.KINDS), seed + 1000, START_MS)) if spoiled else {}
        self.rows += multiset(sample.expected_lines())
        self.bad |= bad
        return self.write(name, "".join(f"{line}\n" for line in (*sample.documents, *bad.values())))

    def write(self, name: str, text: str, mtime_s: float | None = None) -> Path:
        path = self.entrada / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        settle(path, mtime_s)
        return path

    def run(self) -> int:
        return self.end(self.start())

    def end(self, process: subprocess.Popen[str]) -> int:
        return ended(process, MOMENT_S)[0]

    def kill_when(self, moment: Callable[[], bool]) -> None:
        """kill -9 of a run at `moment`; its Python driver ends by itself. Raises AssertionError when the
        moment never came: then there was no fault."""
        process = self.start()
        wait_for(moment, "the moment of the fault", MOMENT_S, of=process)
        kill_jvm(process)

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
        rows, raw = self.published(), self.quarantined()
        whole = [row for row in rows if row.startswith("{") and row.endswith("}")]
        seen = {json.loads(row).get("InvoiceNumber") for row in whole}
        gone = sum(line not in raw and number not in seen for number, line in self.bad.items())
        missing, many = (self.rows - rows).total() + gone, (rows - self.rows).total()
        return Ends.of(self.rows.total() + len(self.bad), missing, many, raw.total(), codes, self.said)

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
        """After a failed run, does what its error says; nothing where it says only to run again."""

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
    """The course's own job: landing folder, output and checkpoint, cared for by hand. It has nothing to mend:
    one more run shows that it stays as it is."""

    tries = 1

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
        code = super().end(process)
        if code:  # a run that is refused the lease writes no report
            self.said.append("lease-held" if code == 75 else str(self.home.error().get("code", "")))
        return code

    def published(self) -> Counter[str]:
        return self.home.rows()

    def quarantined(self) -> Counter[str]:
        return Counter(record["raw"] for record in self.home.refused_records())

    def ends(self, codes: list[int]) -> Ends:
        self.said += sorted({f"record refused: {r['reason']}" for r in self.home.refused_records()})
        self.said += sorted({f"file refused: {code}" for code in self._refused_files()})
        return super().ends(codes)

    def _refused_files(self) -> Iterator[str]:
        for path in self.layout.refused_files(STREAM).glob("*.reason.json"):
            yield str(json.loads(path.read_text(encoding="utf-8"))["code"])

    def move_away(self, name: str) -> None:
        files = self.layout.en_proceso(STREAM).iterdir()
        path = next(path for path in files if path.name.endswith(f"-{name}"))
        self.moved.append((path, self.folder / name))
        path.rename(self.folder / name)

    def mend(self) -> None:
        match self.home.error().get("code"):
            case "planned-file-missing":
                for place, now in self.moved:
                    now.rename(place)
            case "pairing-broken":
                code, out = ended(self.home.spawn(verb("generation", "reset", STREAM, "--apply")))
                assert code == 0, out
            case _:
                self.home.repair()


def one(fault: Callable[[Any], list[int]], side: Any, run: Callable[[], int]) -> Ends:
    """Does a fault. While the last run has failed, does what its error says and calls `run` again,
    `side.tries` times at most."""
    codes = fault(side)
    for _ in range(side.tries):
        if codes[-1] == 0:
            break
        side.mend()
        codes.append(run())
    return side.ends(codes)  # type: ignore[no-any-return]


def submit(job: str, *words: str) -> subprocess.Popen[str]:
    """Starts a plain job of the folder bench, with Spark's own defaults."""
    settings, home = caudal.load(), class_data.spark_home()
    jvm = java.find(settings)
    own = {
        "JAVA_HOME": str(jvm.home),
        "SPARK_HOME": str(home),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LAUNCHER_OPTS": " ".join(class_data.JVM_OPTIONS),
    }
    # as Caudal's short runs: these options halve the JVM's start, and change no row
    options = class_data.short_driver(settings, jvm).items()
    quick = [word for key, value in options for word in ("--conf", f"{key}={value}")]
    program = str(settings.root / "bench" / job)
    line = [str(home / "bin/spark-submit"), "--master", "local[2]", *quick, program, *words]
    environ, null = {**settings.environ, **own}, subprocess.DEVNULL
    return subprocess.Popen(line, env=environ, stdin=null, stdout=null, stderr=null, text=True)


def _row(line: str) -> str:
    """A row as text. A torn line stays as it is, so it counts as a row too many."""
    try:
        return next(iter(multiset([json.loads(line)])))
    except (ValueError, AttributeError):
        return line


def _size(part: Path) -> int:
    try:
        return part.lstat().st_size
    except FileNotFoundError:
        return 0
