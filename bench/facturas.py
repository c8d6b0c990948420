"""Seconds of one scheduled run from files: Caudal against the plain job, in the same minute on the same
files. Prints a table and ratios.

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
    """Median wall seconds and published rows of one way."""

    way: str
    seconds: float
    rows: int


def measure(invoices: int, rounds: int, say: Callable[[str], None]) -> list[Result]:
    """Runs both ways `rounds` times, each round from nothing. Raises AssertionError when their rows differ: a
    fast wrong answer is none."""
    times: dict[str, list[float]] = {}
    rows: dict[str, int] = {}
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="caudal-bench-") as folder:
            for way, once in (
                ("plain Spark", _plain),
                ("caudal", _caudal),
                ("caudal, nothing waiting", _caudal),
            ):
                started = time.monotonic()
                _prepare(Path(folder), invoices, number)
                begin = time.monotonic()
                once(Path(folder))
                times.setdefault(way, []).append(time.monotonic() - begin)
                rows[way] = _rows(Path(folder), way)
                say(f"round {number + 1}: {way} {times[way][-1]:.2f} s (prepared in {begin - started:.1f} s)")
    assert len(set(rows.values())) == 1, rows
    return [Result(way, median(seconds), rows[way]) for way, seconds in times.items()]


def _prepare(folder: Path, invoices: int, seed: int) -> None:
    """The same file for both, once a round."""
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
    words = [
        str(home / "bin/spark-submit"),
        "--master",
        settings.master,
        job,
        *(str(folder / n) for n in ("in", "out", "checkpoint")),
    ]
    subprocess.run(words, env=environ, check=True, capture_output=True)


def _caudal(folder: Path) -> None:
    settings = _settings(folder)
    words = [
        str(settings.root / "include/launch/launcher"),
        "jobs/facturas_ficheros.py",
        "--stream",
        "facturas_ficheros",
    ]
    environ = {**settings.environ, "CAUDAL_PYTHON": sys.executable, "PYTHONPATH": str(settings.root)}
    subprocess.run(words, env=environ, check=True, capture_output=True)


def _rows(folder: Path, way: str) -> int:
    pattern = (
        "out/part-*" if way == "plain Spark" else "home/data/salida/facturas_ficheros/gen=*/batch=*/part-*"
    )
    return sum(p.read_bytes().count(b"\n") for p in folder.glob(pattern))
