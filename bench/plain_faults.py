"""What everyday faults cost the plain job (bench/plain_job.py), each really done.

`python -m bench.plain_faults` prints the table of docs/reliability.md.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from include import settings as caudal
from include.samples import facturas as samples
from include.setup import class_data, java

START_MS = 1_700_000_000_000
MOMENT_S = 120.0
WRITTEN_BYTES = 1024 * 1024  # of some 25 MB: in the middle of the write


@dataclass
class Plain:
    """Landing folder, output and checkpoint of one plain stream; `rows`: what was delivered, as (invoice, item…) texts."""

    folder: Path
    rows: Counter[str] = field(default_factory=Counter)

    def put(self, name: str, seed: int, count: int = 50) -> None:
        sample = samples.generate(count, seed=seed, start_ms=START_MS)
        (self.folder / "in").mkdir(exist_ok=True)
        (self.folder / "in" / name).write_text("".join(f"{line}\n" for line in sample.documents), encoding="utf-8")
        self.rows += Counter(_text(row) for row in sample.expected_lines())

    def start(self) -> subprocess.Popen[bytes]:
        settings = caudal.load()
        home = class_data.spark_home()
        environ = {**settings.environ, "JAVA_HOME": str(java.find(settings).home), "SPARK_HOME": str(home), "PYSPARK_PYTHON": sys.executable}
        job = str(Path(__file__).with_name("plain_job.py"))
        words = [str(home / "bin/spark-submit"), "--master", "local[2]", job, *(str(self.folder / n) for n in ("in", "out", "checkpoint"))]
        return subprocess.Popen(words, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def run(self) -> int:
        return self.start().wait()

    def kill_when(self, moment: Callable[[], bool]) -> None:
        """kill -9 of a run at `moment`."""
        process = self.start()
        deadline = time.monotonic() + MOMENT_S
        while not moment() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(2)  # its Python driver ends by itself

    def planned(self, batch: int) -> Callable[[], bool]:
        return (self.folder / "checkpoint" / "offsets" / str(batch)).exists

    def written(self) -> bool:
        return sum(part.lstat().st_size for part in (self.folder / "out").glob("part-*")) > WRITTEN_BYTES

    def difference(self) -> tuple[int, int]:
        """(rows lost, rows too many) for whoever reads out/part-*."""
        parts = (self.folder / "out").glob("part-*")
        found = Counter(_row(line) for part in parts for line in part.read_text(encoding="utf-8").splitlines())
        return (self.rows - found).total(), (found - self.rows).total()


def _row(line: str) -> str:
    """A row as text; a torn line is a row too many, whatever a reader makes of it."""
    try:
        return _text(json.loads(line))
    except ValueError:
        return line


def _text(row: dict[str, object]) -> str:
    return json.dumps({key: value for key, value in row.items() if value is not None}, sort_keys=True)


def checkpoint_removed(plain: Plain) -> int:
    """rm -rf checkpoint to start afresh, then the next delivery"""
    plain.put("a.json", 1)
    plain.run()
    shutil.rmtree(plain.folder / "checkpoint")  # the very fault that is measured, in a temporary folder
    (plain.folder / "in" / "a.json").unlink()
    plain.put("b.json", 2)
    return plain.run()


def moved_early(plain: Plain) -> int:
    """run killed after planning; its input archived by `mv`; next delivery, run again"""
    plain.put("a.json", 1)
    plain.kill_when(plain.planned(0))
    (plain.folder / "in" / "a.json").rename(plain.folder / "a.json")
    plain.put("b.json", 2)
    return plain.run()


def killed_while_writing(plain: Plain) -> int:
    """kill -9 in the middle of writing; run again"""
    plain.put("a.json", 1, count=20_000)
    plain.kill_when(plain.written)
    return plain.run()


def same_name(plain: Plain) -> int:
    """a second delivery under the same file name"""
    plain.put("a.json", 1)
    plain.run()
    plain.put("a.json", 2)
    return plain.run()


def last_offset_empty(plain: Plain) -> int:
    """power cut after a planned batch: its offset file is empty"""
    plain.put("a.json", 1)
    plain.kill_when(plain.planned(0))
    for name in ("0", ".0.crc"):
        path = plain.folder / "checkpoint" / "offsets" / name
        if path.exists():
            os.truncate(path, 0)
    return plain.run()


def main() -> None:
    faults = (checkpoint_removed, moved_early, killed_while_writing, same_name, last_offset_empty)
    for fault in [f for f in faults if f.__name__ in sys.argv[1:]] or faults:
        with tempfile.TemporaryDirectory(prefix="caudal-plain-") as folder:
            plain = Plain(Path(folder))
            code = fault(plain)
            lost, repeated = plain.difference()
            print(f"| {fault.__doc__} | {plain.rows.total():,} | {lost:,} | {repeated:,} | {code} |", flush=True)


if __name__ == "__main__":
    main()
