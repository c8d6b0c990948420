"""Runs the launcher as a child process for the command line: passes its output on, keeps the last lines, and
waits for its end. (Under Airflow, Airflow's own Spark hook does that.)"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TextIO

from include import environment
from include.launch import ended, epilogue
from include.launch.ended import End
from include.settings import Settings
from jobs.contract.disk import storage
from jobs.contract.disk.processes import Stopped
from jobs.contract.errors import DriverDied
from jobs.contract.run.report import Report

_KEPT_BYTES = 65536
_MAIN_DIED = (
    b'Exception in thread "main"'  # a JVM that could not start a thread prints this, and may hang for ever
)
_GRACE_S = 10.0  # a driver that Ctrl-C has reached as well ends its batch by itself in a second or two


def write(out: TextIO, part: bytes) -> None:
    """Writes `part`. If the reader has gone or the disk is full, the output is lost; the run goes on all the
    same, and its report has the result."""
    with suppress(OSError):
        out.flush()
        out.buffer.write(part)
        out.buffer.flush()


def run(
    settings: Settings, words: Sequence[str], stream: str, write: Callable[[TextIO, bytes], None] = write
) -> tuple[int, Report | None]:
    """Runs the launcher to its end and passes its output to `write` as it comes. Returns a documented exit
    code, and this run's report or None when it wrote none.

    Raises DriverDied when the driver ended without a report of its own. Passes Stopped and KeyboardInterrupt
    on. In all three cases the report is finished by then.
    """
    runs = settings.layout.runs(stream)
    before = epilogue.run_names(runs)
    child = _start(settings, words)
    end = End(0)
    try:
        with _signals():
            end = _pumped(child, write)
    except (KeyboardInterrupt, Stopped):
        end = _stop(child)
        raise
    finally:
        with storage.disk_errors(runs):
            report = epilogue.final_report(settings.layout, stream, before, "", end)
    return _exit_code(end, report, runs), report


def _exit_code(end: End, report: Report | None, runs: Path) -> int:
    """A documented one: the launcher's, else the report's. Raises DriverDied."""
    error = report.error if report and report.status == "failed" else None
    if error and error["code"] == DriverDied.code:
        raise DriverDied(error["what"], error["where"], cli=error["cli"])
    if ended.is_documented(end.exit_code):
        return end.exit_code
    if report is None:
        raise ended.died(end.exit_code, end.output, runs)
    return report.exit_code


def _start(settings: Settings, words: Sequence[str]) -> subprocess.Popen[bytes]:
    # the launcher must find the same Java as set-up did: the class-data cache fits only that one
    java = {name: text for name, text in settings.environ.items() if name == "JAVA_HOME"}
    environ = environment.base(settings) | java | {"CAUDAL_PYTHON": sys.executable}
    line = [str(settings.root / "include/launch/launcher"), *words]
    return subprocess.Popen(
        line, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )


@contextmanager
def _signals() -> Iterator[None]:
    """Turns SIGTERM and SIGHUP into Stopped inside the block, so that a run which they end still gets its
    report."""

    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped(number)

    kinds = [kind for kind in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(kind) is not signal.SIG_IGN]
    before = {kind: signal.signal(kind, stop) for kind in kinds}
    try:
        yield
    finally:
        for kind, old in before.items():
            signal.signal(kind, old)


def _pumped(child: subprocess.Popen[bytes], write: Callable[[TextIO, bytes], None]) -> End:
    """Passes both streams on as they come, until the last writer has closed them: the Python driver may
    outlive the JVM by an instant."""
    kept = b""
    with selectors.DefaultSelector() as ready:
        for source, target in ((child.stdout, 1), (child.stderr, 2)):
            assert source is not None  # noqa: S101 - both are pipes
            ready.register(source, selectors.EVENT_READ, target)
        while ready.get_map():
            readable = ready.select(_GRACE_S if _MAIN_DIED in kept else None)
            if not readable:
                child.kill()
            for key, _ in readable:
                part = os.read(key.fd, _KEPT_BYTES)
                if not part:
                    ready.unregister(key.fileobj)
                kept = (kept + part)[-_KEPT_BYTES:]
                write(sys.stdout if key.data == 1 else sys.stderr, part)
    return End(child.wait(), kept.decode("utf-8", "replace").splitlines())


def _stop(child: subprocess.Popen[bytes]) -> End:
    """Asks the child to end, and kills it after the grace period."""
    child.terminate()
    try:
        child.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    return End(child.returncode)
