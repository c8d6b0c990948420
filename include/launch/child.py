"""The launcher as a child: its output passed through, the end of it kept, its end told. For the command line; Airflow's provider does its own."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import TextIO

from include import environment
from include.launch import ended
from include.settings import Settings
from jobs.contract.disk import storage
from jobs.contract.disk.processes import Stopped
from jobs.contract.errors import DriverDied, ExitCode
from jobs.contract.run import report
from jobs.contract.run.report import Report

_KEPT_BYTES = 65536
_MAIN_DIED = b'Exception in thread "main"'  # a JVM that could not start a thread may hang for ever behind it
_GRACE_S = 10.0  # for a driver that Ctrl-C has reached, too: it ends its batch by itself in a second or two


@dataclass(frozen=True)
class Ended:
    """`exit_code`: negative for a signal. `output`: its last lines."""

    exit_code: int
    output: tuple[str, ...]


def write(out: TextIO, part: bytes) -> None:
    """What the reader or the disk does not take is lost; the run goes on, and its report tells."""
    with suppress(OSError):
        out.flush()
        out.buffer.write(part)
        out.buffer.flush()


def run(
    settings: Settings, words: Sequence[str], stream: str, write: Callable[[TextIO, bytes], None] = write
) -> tuple[int, Report | None]:
    """Runs the launcher to its end, its output handed to `write` as it comes. Returns a documented exit code and the report of this run, None when
    it made none.

    Raises DriverDied when it ended without a report of its own; by then that one is finished. Passes Stopped and KeyboardInterrupt on, likewise.
    """
    runs = settings.layout.runs(stream)
    before = next(report.newest(runs), None)
    child = _start(settings, words)
    try:
        done = Ended(0, ())
        with _signals():
            done = _pumped(child, write)
    except (KeyboardInterrupt, Stopped):
        done = _stop(child)
        raise
    finally:
        with storage.disk_errors(runs):
            newest = next(report.newest(runs), None)
            ours = (
                newest and newest != before and done.exit_code != ExitCode.HELD
            )  # then the newest is another run's
            found = report.read(newest) if newest and ours else None
            if found and found.status == "running":
                found = (
                    ended.finish(
                        settings.layout, stream, ended.End(found.run_id, done.exit_code, done.output)
                    )
                    or found
                )
    if found and found.status == "failed" and found.error and found.error["code"] == DriverDied.code:
        raise DriverDied(found.error["what"], found.error["where"], cli=found.error["cli"])
    if found is None and not ended.is_documented(done.exit_code):
        raise ended.died(done.exit_code, done.output, runs)
    return (
        done.exit_code
        if ended.is_documented(done.exit_code)
        else found.exit_code
        if found
        else done.exit_code
    ), found


def _start(settings: Settings, words: Sequence[str]) -> subprocess.Popen[bytes]:
    # the launcher looks for Java where set-up did: the class-data cache fits no other
    java = {name: text for name, text in settings.environ.items() if name == "JAVA_HOME"}
    environ = environment.base(settings) | java | {"CAUDAL_PYTHON": sys.executable}
    line = [str(settings.root / "include/launch/launcher"), *words]
    return subprocess.Popen(
        line, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )


@contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM and SIGHUP as an exception meanwhile: what they end, too, gets its report."""

    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped(number)

    kinds = [kind for kind in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(kind) is not signal.SIG_IGN]
    before = {kind: signal.signal(kind, stop) for kind in kinds}
    try:
        yield
    finally:
        for kind, old in before.items():
            signal.signal(kind, old)


def _pumped(child: subprocess.Popen[bytes], write: Callable[[TextIO, bytes], None]) -> Ended:
    """Both streams passed through as they come, until the last writer has closed them: the Python driver may outlive the JVM by an instant."""
    kept = b""
    with selectors.DefaultSelector() as ready:
        for source, target in ((child.stdout, 1), (child.stderr, 2)):
            assert source is not None  # noqa: S101 - both are pipes
            ready.register(source, selectors.EVENT_READ, target)
        while ready.get_map():
            found = ready.select(_GRACE_S if _MAIN_DIED in kept else None)
            if not found:
                child.kill()
            for key, _ in found:
                part = os.read(key.fd, _KEPT_BYTES)
                if not part:
                    ready.unregister(key.fileobj)
                kept = (kept + part)[-_KEPT_BYTES:]
                write(sys.stdout if key.data == 1 else sys.stderr, part)
    return Ended(child.wait(), tuple(kept.decode("utf-8", "replace").splitlines()))


def _stop(child: subprocess.Popen[bytes]) -> Ended:
    """Ends it, gracefully if Ctrl-C has reached it, too."""
    child.terminate()
    try:
        child.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    return Ended(child.returncode, ())
