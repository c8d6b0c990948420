"""A home of a test's own, and real processes in it: launcher, JVM and Python driver as Airflow or `./caudal
run` starts them.

The harness of every kill: start a command, wait for a moment, kill, start again, count what stands.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psutil

from include import settings as caudal
from include.settings import ROOT, Settings
from jobs.contract.deadline import attempts
from jobs.contract.run import report
from jobs.contract.run.report import Report

STREAM = "facturas_ficheros"
RUN_S = 240.0  # a run takes 5 s on an idle machine
SETTLED_S = 60  # the age of a delivered file in seconds: more than any stream's settle_s
_DRIVER_DIES_S = 30  # a driver follows its JVM within 0.2 s on an idle machine
_REPAIR = re.compile(r"remove (\S+) and (\S+) there")


@dataclass
class Home:
    """One home and one stream of it."""

    settings: Settings
    stream: str = STREAM

    @classmethod
    def at(cls, path: Path, stream: str = STREAM, bootstrap: str = "") -> Home:
        """A home in `path`; the caller's environment may name a broker, but only `bootstrap` counts."""
        environ = {k: v for k, v in os.environ.items() if not k.startswith("CAUDAL_KAFKA")}
        more = {"CAUDAL_HOME": str(path), "CAUDAL_KAFKA_BOOTSTRAP": bootstrap}
        return cls(caudal.load(environ | more), stream)

    def spawn(self, line: Sequence[str], **variables: str) -> subprocess.Popen[str]:
        """Starts a command of this home; stdout and stderr come together. `variables` are set for it
        alone."""
        own = {"CAUDAL_PYTHON": sys.executable, "PYTHONPATH": str(self.settings.root), "NO_COLOR": "1"}
        return subprocess.Popen(
            line,
            cwd=self.settings.root,
            env={**self.settings.environ, **own, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Starts the launcher, with `words` instead of its usual ones where some are given."""
        return self.spawn([*_LAUNCHER, *words] if words else launcher(self.stream))

    def run(self, *words: str) -> tuple[int, str]:
        return ended(self.start(*words))

    def put(self, name: str, lines: list[str]) -> None:
        """A settled file, as a delivery leaves it: whole, and older than settle_s."""
        folder = self.settings.layout.entrada(self.stream)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        settle(path)

    @property
    def checkpoint(self) -> Path:
        return self.settings.layout.checkpoint(self.stream, 1)

    def report(self) -> Report:
        """The newest run's."""
        newest = report.read(next(report.newest(self.settings.layout.runs(self.stream))))
        assert newest is not None
        return newest

    def error(self) -> dict[str, Any]:
        """The error in the newest readable report; {} without one."""
        reports = map(report.read, report.newest(self.settings.layout.runs(self.stream)))
        newest = next((readable for readable in reports if readable), None)
        return (newest.error if newest else None) or {}

    def repair(self) -> bool:
        """Removes the files that a checkpoint-damaged error names, word for word; False for any other
        error."""
        error = self.error()
        match = _REPAIR.search(str(error.get("cli", "")))
        if error.get("code") != "checkpoint-damaged" or not match:
            return False
        for name in match.groups():
            (Path(str(error["where"])).parent / name).unlink(missing_ok=True)
        return True

    @property
    def _published(self) -> str:
        """The documented glob."""
        return f"{self.settings.layout.salida(self.stream)}/gen=*/batch=*/part-*"

    def rows(self) -> Counter[str]:
        """Published rows as a multiset, by the documented glob and a plain reader."""
        return multiset(_objects(self.settings.layout.salida(self.stream)))

    def duckdb_count(self) -> int:
        query = f"select count(*) from read_json('{self._published}', format='newline_delimited')"
        return int(duckdb.sql(query).fetchall()[0][0])

    def rows_by_spark(self) -> Counter[str]:
        """As `rows`, read by a Spark of its own."""
        from include.setup import class_data, java

        options = json.dumps(class_data.short_driver(self.settings, java.find(self.settings)))
        code, out = ended(self.spawn([sys.executable, "-c", _SPARK, self._published, options]))
        assert code == 0, out
        return multiset(json.loads(line) for line in out.splitlines() if line.startswith("{"))

    def refused_records(self) -> list[dict[str, Any]]:
        """Records in quarantine, with their reasons."""
        return list(_objects(self.settings.layout.data / "cuarentena" / self.stream / "registros"))

    def files(self) -> list[str]:
        """Every data file of the stream that is not archived, without the prefix of an admitted name."""
        layout = self.settings.layout
        folders = (layout.entrada(self.stream), layout.en_proceso(self.stream), layout.claims(self.stream))
        paths = [path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_file()]
        return sorted(path.name.split("-", 2)[-1] for path in paths if not path.name.startswith("."))

    def processes(self) -> list[psutil.Process]:
        """Live processes of this home, by their environment."""
        return [p for p in psutil.process_iter() if _home_of(p) == str(self.settings.home)]


_LAUNCHER = [str(ROOT / "include/launch/launcher")]
_SPARK = """import json, sys
from pyspark.sql import SparkSession
builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
spark = builder.config(map=json.loads(sys.argv[2])).getOrCreate()
print("\\n".join(spark.read.json(sys.argv[1]).toJSON().collect()))
"""


def launcher(stream: str = STREAM) -> list[str]:
    """The command of one run."""
    return [*_LAUNCHER, "--master", "local[2]", f"jobs/{stream}.py", "--stream", stream]


def verb(*words: str) -> list[str]:
    """The command of `./caudal WORDS`, in this environment."""
    return [sys.executable, "-P", "-m", "include.cli", *words]


def ended(process: subprocess.Popen[str], timeout_s: float = RUN_S) -> tuple[int, str]:
    """(exit code, what was printed). A process that has not ended after `timeout_s` is killed, with exit code
    -1."""
    try:
        out, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return -1, f"killed by its judge: no end within {timeout_s:.0f} s; {process.communicate()[0]}"
    return process.returncode, out


def settle(path: Path, mtime_s: float | None = None) -> None:
    """Dates a file a minute back, or to `mtime_s`: nobody writes it any more."""
    os.utime(path, (mtime_s or time.time() - SETTLED_S,) * 2)


def _objects(folder: Path) -> Iterator[dict[str, Any]]:
    for part in folder.glob("gen=*/batch=*/part-*"):
        yield from map(json.loads, part.read_text(encoding="utf-8").splitlines())


def _home_of(process: psutil.Process) -> str:
    try:
        return "" if process.status() == psutil.STATUS_ZOMBIE else process.environ().get("CAUDAL_HOME", "")
    except psutil.Error:
        return ""


def below(folder: Path, prefix: str) -> Iterator[Path]:
    """Files and folders below `folder` whose name starts with `prefix`.

    What goes away meanwhile is left out; Path.rglob of Python 3.11 raises then.
    """
    return (
        Path(at) / name
        for at, folders, files in os.walk(folder)
        for name in (*folders, *files)
        if name.startswith(prefix)
    )


def multiset(rows: Any) -> Counter[str]:
    """Objects as sorted JSON, counted. A field that is null counts as missing: Spark's JSON writer leaves it
    out."""
    return Counter(
        json.dumps({k: v for k, v in row.items() if v is not None}, sort_keys=True) for row in rows
    )


def difference(what: str, there: Counter[Any], wanted: Counter[Any]) -> str:
    """Empty when both are equal."""
    if there == wanted:
        return ""
    return f"{what}: {(wanted - there).total()} lost, {(there - wanted).total()} too many of {wanted.total()}"


def wait_for(
    condition: Callable[[], Any], what: str, timeout_s: float = RUN_S, of: subprocess.Popen[str] | None = None
) -> Any:
    """Polls every 2 ms, because the moments that a kill has to hit are short; returns what `condition`
    returned.

    `of` is the process that must still live until then. Raises AssertionError when it ended before, or after
    `timeout_s`; the process is killed then.
    """
    for _ in attempts(timeout_s, 0.002):
        if value := condition():
            return value
        if of is not None and of.poll() is not None and not condition():
            raise AssertionError(f"ended before: {what}\n{of.communicate()[0]}")
    if of is not None:
        of.kill()
    raise AssertionError(f"not within {timeout_s} s: {what}")


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def python_driver(jvm: int) -> psutil.Process | None:
    """The Python driver under the JVM `jvm`."""
    try:
        return next((p for p in psutil.Process(jvm).children() if "python" in p.name()), None)
    except psutil.Error:
        return None


def kill_jvm(run: subprocess.Popen[str]) -> None:
    """kill -9 of a run's JVM; returns when its Python driver has followed it by itself."""
    driver = python_driver(run.pid)
    run.kill()
    run.communicate()
    if driver is not None:
        driver.wait(timeout=_DRIVER_DIES_S)


def kill_run(run: subprocess.Popen[str], victim: str) -> bool:
    """kill -9 of the "jvm", the Python "driver" or "both"; a run without a driver yet is its JVM alone.

    False when the run had ended before.
    """
    driver = python_driver(run.pid)
    with suppress(psutil.NoSuchProcess):
        if driver is not None and victim != "jvm":
            driver.kill()
    if driver is None or victim != "driver":
        run.kill()
    return ended(run)[0] != 0
