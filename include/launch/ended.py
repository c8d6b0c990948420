"""Finishes the report of a driver that died before it could write one.

If a report says `running` and nobody holds the lease, its run has died. Whoever started that run, or the next
run of the stream, sets the report to `failed`. That happens here, under the lease, and nowhere else.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from include.setup import java
from include.state import lease
from jobs.contract.disk import storage
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import CaudalError, DriverDied, ExitCode, LeaseHeld
from jobs.contract.run import report
from jobs.contract.run.report import Report

_BACK = 20  # reports looked at: a full disk may have left more than the newest one unfinished
_LINES = 20  # of the driver's output, kept in the report: a Java trace with its cause fits
_TAIL_BYTES = 65536


@dataclass(frozen=True)
class End:
    """How a run ended, as seen by whoever started it.

    `exit_code`: negative for a signal. `output`: its last lines. `error`: why the starter ended the run, if
    it did.
    """

    exit_code: int
    output: Sequence[str] = ()
    error: CaudalError | None = None


def finish(layout: Layout, stream: str, run_id: str, end: End) -> Report | None:
    """Finishes every report of a dead run and returns the one of `run_id`, which ended as `end`.

    None when another run is under way: that one has finished them when it began. If a report cannot be
    written (a full disk), it stays as it is, and the next run finishes it.
    """
    owner = lease.Owner(os.getpid(), "", datetime.now(UTC).isoformat(), "")
    with suppress(LeaseHeld), lease.acquire(layout, stream, owner):
        under_lease(layout, stream, run_id, end)
        return report.read(layout.run(stream, run_id) / "report.json")
    return None


def under_lease(layout: Layout, stream: str, run_id: str = "", end: End | None = None) -> None:
    """As `finish`. The caller holds the lease and has not written a report of its own yet."""
    for path in islice(report.newest(layout.runs(stream)), _BACK):
        with suppress(CaudalError):  # doctor reports one that cannot be read
            left = report.read(path)
            if left and left.status == "running":
                failed = _failed(left, path.parent, end if left.run_id == run_id else None)
                with storage.disk_errors(path):
                    storage.replace(path, failed.to_json())


def _failed(left: Report, folder: Path, end: End | None) -> Report:
    log = folder / "driver.log"
    lines = [line.rstrip() for line in (end.output if end else ()) if line.strip()] or tail(log)
    error = (end and end.error) or died(end.exit_code if end else None, lines, log)
    error.name_stream(left.stream)
    return replace(
        left,
        status="failed",
        exit_code=int(error.exit_code),
        error={**error.to_json(), "log": lines[-_LINES:]},
    )


def died(exit_code: int | None, lines: Sequence[str], where: object) -> DriverDied:
    """`exit_code`: negative for a signal, None when nobody saw the end."""
    message = java.telling(lines)[:300]
    return DriverDied(f"the driver {how(exit_code)}{f'; it said: {message}' if message else ''}", where)


def how(exit_code: int | None) -> str:
    """The end in words, after "the driver". A shell reports a signal as 128 + its number; there are 64
    signals."""
    if exit_code is None:
        return "ended without a report: killed, or the machine went down"
    number = -exit_code if exit_code < 0 else exit_code - 128 if 128 < exit_code <= 192 else 0
    if not number:
        return f"ended with exit code {exit_code} and without a report"
    name = signal.Signals(number).name if number in set(signal.Signals) else "unknown"
    memory = ", which the system sends when memory runs out" if number == signal.SIGKILL else ""
    return f"was killed by signal {number} ({name}{memory})"


def is_documented(exit_code: int) -> bool:
    """Whether it is one of Caudal's exit codes in docs/errors.md. A JVM and a shell have others, and share
    1."""
    return exit_code in set(ExitCode) - {ExitCode.FAILED}


def tail(log: Path) -> list[str]:
    """The last lines of a log; none when there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-_LINES:]
