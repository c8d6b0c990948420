"""Measures time and memory of archiving many files, and of a run with nothing to do before and after it.

No Spark runs: checkpoint, ledger, manifests and files are written by hand, as intake, Spark and the job leave
them.

    PYTHONPATH=. python bench/archive.py [FILES=200000] [FOLDER]

Each measured step is a process of its own. Its memory is its peak in MiB, less that of a process that only
imports the same modules. It writes 1.5 GB into FOLDER (default: the system's temporary one) and removes them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from include import settings as caudal
from include import streams
from include.housekeeping import engine
from include.housekeeping.files import after_run, archive
from include.housekeeping.generations import rollover
from include.settings import Settings
from include.state import generations
from include.state.generations import Generation
from jobs.contract.commit import manifest
from jobs.contract.commit.manifest import Manifest, OutputFile
from jobs.contract.disk import ledger
from jobs.contract.disk.ledger import Entry
from jobs.contract.disk.sqlite import Connection

STREAM = "facturas_ficheros"
PER_BATCH = 100
LINES = 4  # in each file
RETAINED = 100  # batches whose offsets and commits Spark keeps by default
QUERY = "0b3d7b62-2e0f-4a53-9a55-1f2d3c4b5a69"
START_MS = 1_795_000_000_000
BATCH_MS = 300_000  # a batch each five minutes: 200,000 files are a week of days


def make(settings: Settings, files: int) -> None:
    """A home in which every file is read, committed and published, and is still in en_proceso."""
    layout = settings.layout
    folder, path = layout.en_proceso(STREAM), layout.checkpoint(STREAM, 1)
    for new in (folder, *(path / name for name in ("offsets", "commits", "sources/0"))):
        new.mkdir(parents=True)
    generations.begin(layout, Generation(STREAM, 1, 0, "", {}, _time(START_MS)))
    (path / "metadata").write_text(json.dumps({"id": QUERY}))
    with ledger.writer(layout.ledger(STREAM)) as db, ledger.transaction(db):
        ledger.create(db)
        names = [entry.name for entry in _entries(db, folder, files)]
    _checkpoint(settings, path, [names[i : i + PER_BATCH] for i in range(0, len(names), PER_BATCH)])


def _entries(db: Connection, folder: Path, files: int) -> Iterator[Entry]:
    for number in range(1, files + 1):
        data = f'{{"InvoiceNumber":"{number}","TotalValue":{number % 977}.5}}\n'.encode() * LINES
        digest, name = hashlib.sha256(data).hexdigest(), f"facturas-{number}.json"
        mtime_ms = START_MS + (number // PER_BATCH) * BATCH_MS + number % PER_BATCH
        times = mtime_ms * 1_000_000, mtime_ms, _time(mtime_ms)
        admitted = ledger.admitted_name(number, digest, name)
        entry = Entry(number, digest, name, admitted, len(data), LINES, *times)
        ledger.insert(db, [entry], finished=True)
        (folder / entry.name).write_bytes(data)
        yield entry


def _checkpoint(settings: Settings, path: Path, batches: list[list[str]]) -> None:
    last, folder = len(batches) - 1, settings.layout.en_proceso(STREAM)
    compact = max((n for n in range(last + 1) if n % 10 == 9), default=-1)
    text = ["v1"]
    for batch, names in enumerate(batches):
        lines = [
            f'{{"path":"file://{folder / name}","timestamp":{START_MS},"batchId":{batch}}}' for name in names
        ]
        text += lines if batch <= compact else []
        if batch > compact:
            (path / "sources/0" / str(batch)).write_text("\n".join(["v1", *lines]))
        if batch > last - RETAINED:
            (path / "offsets" / str(batch)).write_text(
                f'v1\n{{"batchWatermarkMs":0,"batchTimestampMs":{START_MS}}}\n{{"logOffset":{batch}}}'
            )
            (path / "commits" / str(batch)).write_text('v1\n{"nextBatchWatermarkMs":0}')
        _publish(settings, batch, names)
    if compact >= 0:
        (path / "sources/0" / f"{compact}.compact").write_text("\n".join(text))


def _publish(settings: Settings, batch: int, names: list[str]) -> None:
    folder = settings.layout.batch(STREAM, 1, batch)
    folder.mkdir(parents=True)
    start, rows = {"logOffset": batch - 1} if batch else {}, LINES * len(names)
    data = b'{"InvoiceNumber":"1","TotalValue":1.5}\n' * rows
    (folder / "part-0.json").write_bytes(data)
    parts = (OutputFile("part-0.json", len(data), hashlib.sha256(data).hexdigest(), rows),)
    planned, end = manifest.digest(sorted(names)), {"logOffset": batch}
    counts = rows, rows, 0, ""  # records in, rows out, quarantined and its digest
    whole = Manifest(STREAM, QUERY, 1, batch, planned, start, end, parts, *counts, "bench")
    (folder / "_MANIFEST").write_bytes(whole.to_json())


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def step(name: str) -> dict[str, float]:
    """Does one step in this process. Returns the files it handled, its seconds and the process's peak
    memory."""
    settings, stream, now = caudal.load(), streams.get(STREAM), datetime.now(UTC)
    begin = time.monotonic()
    if name == "plan":
        done = len(archive.plan(settings, stream, now).steps)
    elif name == "apply":
        plan = archive.plan(settings, stream, now)
        begin = time.monotonic()
        archive.apply(settings.layout, plan, now)
        done = len(plan.steps)
    elif name == "after a run":
        done = after_run.tidy(settings, stream, now).files
    elif name == "rollover":
        plan = rollover.plan(settings, stream, now)
        engine.apply(settings.layout, STREAM, plan.operation(now.isoformat()), plan.steps, now)
        done = len(plan.steps)
    else:
        done = 0
    return {"files": done, "seconds": time.monotonic() - begin, "peak_mib": _peak_mib()}


def _peak_mib() -> float:
    # getrusage would count the parent's memory, too, from before the exec
    peak_kb = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak_kb
    return int(peak_kb[1]) / 1024


def measured(settings: Settings, name: str) -> dict[str, float]:
    line = [sys.executable, __file__, "--step", name]
    done = subprocess.run(line, env=_environ(settings), capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def idle_run(settings: Settings, times: int = 5) -> float:
    """Median seconds of a launcher that finds nothing to do, including the start of its process."""
    line = [sys.executable, "-P", "-m", "include.launch", f"jobs/{STREAM}.py", "--stream", STREAM]
    seconds = []
    for _ in range(times):
        begin = time.monotonic()
        done = subprocess.run(line, env=_environ(settings), capture_output=True, text=True, check=True)
        seconds.append(time.monotonic() - begin)
        assert "nothing is waiting" in done.stdout, done.stdout
    return median(seconds)


def _environ(settings: Settings) -> dict[str, str]:
    return {**os.environ, "CAUDAL_HOME": str(settings.home), "PYTHONPATH": str(settings.root)}


def main(files: int, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="caudal-bench-", dir=folder) as place:
        small, big = (
            caudal.load({**os.environ, "CAUDAL_HOME": f"{place}/{name}"}) for name in ("small", "big")
        )
        make(small, PER_BATCH)
        base = measured(small, "nothing")["peak_mib"]
        begin = time.monotonic()
        make(big, files)
        print(
            f"{files:,} files, {files // PER_BATCH:,} batches, made in {time.monotonic() - begin:.0f} s",
            flush=True,
        )
        print(f"idle run, {PER_BATCH} files ever seen, not archived   {idle_run(small):7.3f} s")
        print(f"idle run, {files:,} files in en_proceso      {idle_run(big):7.3f} s", flush=True)
        for name in ("plan", "apply", "plan", "after a run"):
            figures = measured(big, name)
            print(
                f"{name:<12}{figures['files']:>9,.0f} files {figures['seconds']:8.3f} s "
                f"{figures['peak_mib'] - base:7.0f} MiB",
                flush=True,
            )
        print(f"idle run, all archived                    {idle_run(big):7.3f} s", flush=True)
        measured(big, "rollover")
        print(f"idle run, after the rollover              {idle_run(big):7.3f} s", flush=True)
        sizes = [
            path.stat().st_size / 1e6 for path in (big.layout.ledger(STREAM), big.layout.journal(STREAM))
        ]
        print(f"ledger and journal                        {sizes[0]:.0f} MB, {sizes[1]:.0f} MB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        print(json.dumps(step(sys.argv[2])))
    else:
        main(
            int(sys.argv[1]) if len(sys.argv) > 1 else 200_000,
            Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.gettempdir()),
        )
