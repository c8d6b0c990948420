"""The end of a driver that wrote none: whoever started it, or the next run of its stream, finishes the report.

A report that says `running` while nobody holds the lease is of a run that has died. It becomes `failed` here, under the lease, and nowhere else.
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
_LINES = 20  # of the driver's output, kept in the report
_TAIL_BYTES = 65536


@dataclass(frozen=True)
class End:
    """What whoever started a run saw of its end. `exit_code`: negative for a signal. `output`: the last lines. `error`: why it was ended."""

    run_id: str
    exit_code: int
    output: Sequence[str] = ()
    error: CaudalError | None = None


def finish(layout: Layout, stream: str, end: End) -> Report | None:
    """Finishes every report of dead runs, and returns the one of `end`. None when another run is under way: it does the same when it begins.
    A report that cannot be written (a full disk) stays, for the next run to finish."""
    owner = lease.Owner(os.getpid(), "", datetime.now(UTC).isoformat(), "")
    with suppress(LeaseHeld), lease.acquire(layout, stream, owner):
        under_lease(layout, stream, end)
        return report.read(layout.run(stream, end.run_id) / "report.json")
    return None


def under_lease(layout: Layout, stream: str, end: End | None = None) -> None:
    """As `finish`; the caller holds the lease, and has no report of its own yet."""
    for path in islice(report.newest(layout.runs(stream)), _BACK):
        with suppress(CaudalError):  # one that cannot be read is doctor's to name
            found = report.read(path)
            if found and found.status == "running":
                done = _failed(found, path.parent, end if end and end.run_id == found.run_id else None)
                with storage.disk_errors(path):
                    storage.replace(path, done.to_json())


def _failed(found: Report, folder: Path, end: End | None) -> Report:
    lines = [line.rstrip() for line in (end.output if end else ()) if line.strip()] or tail(
        folder / "driver.log"
    )
    error = (end and end.error) or died(end.exit_code if end else None, lines, folder / "driver.log")
    error.name_stream(found.stream)
    return replace(
        found,
        status="failed",
        exit_code=int(error.exit_code),
        error={**error.to_json(), "log": lines[-_LINES:]},
    )


def died(exit_code: int | None, lines: Sequence[str], where: object) -> DriverDied:
    """`exit_code`: negative for a signal, None when nobody saw the end."""
    said = java.telling(lines)[:300]
    return DriverDied(f"the driver {how(exit_code)}{f'; it said: {said}' if said else ''}", where)


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


def tail(log: Path) -> list[str]:
    """The last lines of a log; none when there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            return [line for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()][
                -_LINES:
            ]
    except OSError:
        return []
