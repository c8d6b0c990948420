"""Measures one scheduled run from files: Caudal and the plain job, in the same minute on the same files.

./caudal bench [--invoices 1000] [--rounds 3]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from include import settings as caudal
from include.samples import facturas as samples
from include.settings import Settings
from include.setup import class_data, java

START_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Result:
    """Median wall seconds and published rows of one job. `way` names the job; it is a key of the JSON that
    `./caudal bench --json` prints."""

    way: str
    seconds: float
    rows: int


def measure(invoices: int, rounds: int, say: Callable[[str], None]) -> list[Result]:
    """Runs each job `rounds` times, each round from nothing. Raises AssertionError when their rows differ: a
    fast wrong answer does not count."""
    times: dict[str, list[float]] = {}
    rows: dict[str, int] = {}
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="caudal-bench-") as folder:
            for job, once in (
                ("plain Spark", _plain),
                ("caudal", _caudal),
                ("caudal, nothing waiting", _caudal),
            ):
                started = time.monotonic()
                _prepare(Path(folder), invoices, number)
                begin = time.monotonic()
                once(Path(folder))
                times.setdefault(job, []).append(time.monotonic() - begin)
                rows[job] = _rows(Path(folder), job)
                say(f"round {number + 1}: {job} {times[job][-1]:.2f} s (prepared in {begin - started:.1f} s)")
    assert len(set(rows.values())) == 1, rows
    return [Result(job, median(seconds), rows[job]) for job, seconds in times.items()]


def _prepare(folder: Path, invoices: int, seed: int) -> None:
    """Writes the same file for both, once a round."""
    file = folder / "in" / "f.json"
    if file.exists():
        return
    file.parent.mkdir()
    with file.open("w", encoding="utf-8") as out:
        out.writelines(f"{d}\n" for d in samples.documents(invoices, seed, START_MS))
    entrada = _settings(folder).layout.entrada("facturas_ficheros")
    entrada.mkdir(parents=True)
    (entrada / "f.json").write_bytes(file.read_bytes())
    old = time.time() - 60
    os.utime(entrada / "f.json", (old, old))


def _settings(folder: Path) -> Settings:
    return caudal.load({**os.environ, "CAUDAL_HOME": str(folder / "home")})


def _plain(folder: Path) -> None:
    settings = _settings(folder)
    home = class_data.spark_home()
    environ = {
        **settings.environ,
        "JAVA_HOME": str(java.find(settings).home),
        "SPARK_HOME": str(home),
        "PYSPARK_PYTHON": sys.executable,
    }
    job = str(Path(__file__).with_name("plain_job.py"))
    places = [str(folder / name) for name in ("in", "out", "checkpoint")]
    words = [str(home / "bin/spark-submit"), "--master", settings.master, job, *places]
    subprocess.run(words, env=environ, check=True, capture_output=True)


def _caudal(folder: Path) -> None:
    settings = _settings(folder)
    launcher = str(settings.root / "include/launch/launcher")
    words = [launcher, "jobs/facturas_ficheros.py", "--stream", "facturas_ficheros"]
    environ = {**settings.environ, "CAUDAL_PYTHON": sys.executable, "PYTHONPATH": str(settings.root)}
    subprocess.run(words, env=environ, check=True, capture_output=True)


def _rows(folder: Path, job: str) -> int:
    published = "home/data/salida/facturas_ficheros/gen=*/batch=*/part-*"
    pattern = "out/part-*" if job == "plain Spark" else published
    return sum(p.read_bytes().count(b"\n") for p in folder.glob(pattern))
