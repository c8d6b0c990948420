"""A home of a test's own, and real runs in it: launcher, JVM and Python driver as Airflow or `./caudal run` starts them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psutil

from include import settings as caudal
from include.settings import Settings
from jobs.contract.deadline import attempts
from jobs.contract.run import report
from jobs.contract.run.report import Report

RUN_S = 240.0  # a run takes 5 s on an idle machine


@dataclass
class Home:
    """One home and one stream of it. Every process a test starts dies with `stop`."""

    settings: Settings
    stream: str = "facturas_ficheros"

    @classmethod
    def at(cls, path: Path, stream: str = "facturas_ficheros", bootstrap: str = "") -> Home:
        environ = {k: v for k, v in os.environ.items() if not k.startswith("CAUDAL_KAFKA")}
        return cls(
            caudal.load(environ | {"CAUDAL_HOME": str(path), "CAUDAL_KAFKA_BOOTSTRAP": bootstrap}), stream
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        """The launcher, as a child of this process; stdout and stderr together."""
        root = self.settings.root
        line = [
            str(root / "include/launch/launcher"),
            *(words or ("--master", "local[2]", f"jobs/{self.stream}.py", "--stream", self.stream)),
        ]
        environ = {**self.settings.environ, "CAUDAL_PYTHON": sys.executable, "PYTHONPATH": str(root)}
        return subprocess.Popen(
            line,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str]:
        process = self.start(*words)
        out, _ = process.communicate(timeout=RUN_S)
        return process.returncode, out

    def put(self, name: str, lines: list[str]) -> None:
        """A settled file, as a delivery leaves it: whole, and older than settle_s."""
        folder = self.settings.layout.entrada(self.stream)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        os.utime(path, (time.time() - 60, time.time() - 60))

    @property
    def checkpoint(self) -> Path:
        return self.settings.layout.checkpoint(self.stream, 1)

    def report(self) -> Report:
        found = report.read(next(report.newest(self.settings.layout.runs(self.stream))))
        assert found is not None
        return found

    def rows(self) -> Counter[str]:
        """Published rows as a multiset, by the documented glob and a plain reader."""
        found = self.settings.layout.salida(self.stream).glob("gen=*/batch=*/part-*")
        return multiset(
            json.loads(line) for part in found for line in part.read_text(encoding="utf-8").splitlines()
        )

    def duckdb_count(self) -> int:
        glob = f"{self.settings.layout.salida(self.stream)}/gen=*/batch=*/part-*"
        return int(
            duckdb.sql(f"select count(*) from read_json('{glob}', format='newline_delimited')").fetchall()[0][
                0
            ]
        )

    def files(self) -> list[str]:
        """Every data file of the stream, wherever it is, without the admitted name's prefix."""
        layout = self.settings.layout
        folders = (layout.entrada(self.stream), layout.en_proceso(self.stream), layout.claims(self.stream))
        found = [
            p.name
            for f in folders
            if f.is_dir()
            for p in f.iterdir()
            if p.is_file() and not p.name.startswith(".")
        ]
        return sorted(name.split("-", 2)[-1] for name in found)

    def processes(self) -> list[psutil.Process]:
        """Live processes of this home, by their environment."""
        return [p for p in psutil.process_iter() if _home_of(p) == str(self.settings.home)]


def _home_of(process: psutil.Process) -> str:
    try:
        return "" if process.status() == psutil.STATUS_ZOMBIE else process.environ().get("CAUDAL_HOME", "")
    except psutil.Error:
        return ""


def below(folder: Path, prefix: str) -> Iterator[Path]:
    """Files and folders so named below `folder`; what goes while it is looked at is left out (3.11's glob raises)."""
    return (
        Path(at) / name
        for at, folders, files in os.walk(folder)
        for name in (*folders, *files)
        if name.startswith(prefix)
    )


def multiset(rows: Any) -> Counter[str]:
    return Counter(
        json.dumps({k: v for k, v in row.items() if v is not None}, sort_keys=True) for row in rows
    )


def wait_for(
    condition: Callable[[], Any], what: str, timeout_s: float = RUN_S, of: subprocess.Popen[str] | None = None
) -> Any:
    """Polls every 2 ms: the moments a kill has to hit are short. `of`: the process that must still live until then."""
    for _ in attempts(timeout_s, 0.002):
        if found := condition():
            return found
        if of is not None and of.poll() is not None and not condition():
            raise AssertionError(f"ended before: {what}\n{of.communicate()[0]}")
    raise AssertionError(f"not within {timeout_s} s: {what}")


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def python_driver(jvm: int) -> psutil.Process | None:
    """The Python driver under the JVM `jvm`."""
    try:
        found = [p for p in psutil.Process(jvm).children() if "python" in p.name()]
    except psutil.Error:
        return None
    return found[0] if found else None
