"""The end of a driver that wrote none: whoever started it, or the next run of its stream, finishes the report.

A report that says `running` while nobody holds the lease is of a run that has died. It becomes `failed` here, under the lease, and nowhere else.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from include import lease
from jobs.contract import report, storage
from jobs.contract.errors import CaudalError, DriverDied, ExitCode, LeaseHeld
from jobs.contract.layout import Layout
from jobs.contract.report import Report

_BACK = 20  # reports looked at: a full disk may have left more than the newest one unfinished
_LINES = 20  # of the driver's output, kept in the report
_TAIL_BYTES = 65536
_TELLING = re.compile(r"\b[\w.$]*(Error|Exception)\b|[Cc]annot|[Uu]nrecognized|[Cc]onflicting|not found|No such|[Ff]atal|[Pp]ermission denied")


def finish(layout: Layout, stream: str, exit_code: int | None = None, output: Sequence[str] = (), run_id: str = "") -> Report | None:
    """Finishes every report of dead runs; the one of `run_id` (its newest, if empty) with its exit code (negative: a signal) and its output.
    Returns that one's. A held lease means that another run is under way, which does the same when it begins.

    Raises DiskFull, NotWritable.
    """
    owner = lease.Owner(os.getpid(), "", datetime.now(UTC).isoformat(), "")
    with suppress(LeaseHeld), lease.acquire(layout, stream, owner):
        return under_lease(layout, stream, exit_code, output, run_id)
    return None


def under_lease(layout: Layout, stream: str, exit_code: int | None = None, output: Sequence[str] = (), run_id: str = "") -> Report | None:
    """As `finish`; the caller holds the lease, and has no report yet."""
    told = None
    for path in islice(report.newest(layout.runs(stream)), _BACK):
        with suppress(CaudalError):  # one that cannot be read is doctor's to name
            found = report.read(path)
            if found is None or found.status != "running":
                continue
            ours = told is None and run_id in ("", found.run_id)
            done = _failed(found, path.parent, exit_code if ours else None, output if ours else ())
            with storage.disk_errors(path):
                storage.replace(path, done.to_json())
            told = done if ours else told
    return told


def _failed(found: Report, folder: Path, exit_code: int | None, output: Sequence[str]) -> Report:
    lines = [line.rstrip() for line in output if line.strip()] or _tail(folder / "driver.log")
    error = died(exit_code, lines, folder / "driver.log")
    error.about(found.stream)
    told = {**error.to_json(), "log": lines[-_LINES:]}
    return replace(found, status="failed", exit_code=int(error.exit_code), error=told)


def died(exit_code: int | None, lines: Sequence[str], where: object) -> DriverDied:
    """`exit_code`: negative for a signal, None when nobody saw the end."""
    telling = next((line.strip() for line in reversed(lines) if _TELLING.search(line) and not line.startswith("\tat ")), "")
    said = f"; it said: {telling[:300]}" if telling else ""
    return DriverDied(f"the driver {how(exit_code)}{said}", where)


def how(exit_code: int | None) -> str:
    if exit_code is None:
        return "ended without a report: killed, or the machine went down"
    number = -exit_code if exit_code < 0 else exit_code - 128 if 128 < exit_code <= 192 else 0
    if not number:
        return f"ended with exit code {exit_code} and without a report"
    name = signal.Signals(number).name if number in set(signal.Signals) else "unknown"
    memory = ", which the system sends when memory runs out" if number == signal.SIGKILL else ""
    return f"was killed by signal {number} ({name}{memory})"


def is_documented(exit_code: int) -> bool:
    """Whether docs/errors.md knows it: Caudal's own, and nothing that a JVM or a shell made up."""
    return exit_code in set(ExitCode) - {ExitCode.FAILED}


def _tail(log: Path) -> list[str]:
    """The last lines of a log; none when there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            return [line for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()][-_LINES:]
    except OSError:
        return []
