"""Standard output that does not abort a verb halfway. If a closed pipe or a full disk takes no more, the rest
of the output is lost, and the exit code says so."""

from __future__ import annotations

import errno
import io
import sys
from typing import Any

from jobs.contract.errors import DiskFull

# these only print: it is safe to stop at once, and `consume` may have a million records left
_TELL = ("audit", "checkpoint", "checkpoint-show", "consume", "doctor", "show", "status", "where")


class Patient(io.FileIO):
    """A file descriptor that remembers its first failed write instead of raising it."""

    lost: OSError | None = None

    def write(self, data: Any) -> int:
        if self.lost is None:
            try:
                return super().write(data) or 0
            except OSError as error:
                self.lost = error
        return memoryview(data).nbytes


def install(verb: str) -> Patient | None:
    """Makes stdout and stderr patient, except stdout of a verb that only prints. Returns the patient stdout,
    or None if there is none."""
    if err := _patient(sys.stderr):
        sys.stderr = _text(err, sys.stderr, line_buffering=True)
    out = None if verb in _TELL else _patient(sys.stdout)
    if out:
        sys.stdout = _text(out, sys.stdout, line_buffering=out.isatty())
    return out


def _patient(stream: Any) -> Patient | None:
    try:
        fd = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
    return Patient(fd, "w", closefd=False) if fd in (1, 2) else None


def _text(raw: Patient, like: Any, line_buffering: bool) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=like.encoding,
        errors="backslashreplace",
        line_buffering=line_buffering,
    )


def exit_code(code: int, out: Patient | None) -> int:
    """The verb's own code. If the work was done but its output was lost: 141 if the reader has gone;
    otherwise raises DiskFull."""
    if code or out is None or out.lost is None:
        return code
    if out.lost.errno == errno.EPIPE:
        return 141
    what = f"the work is done, but standard output could not be written to its end: {out.lost.strerror}"
    raise DiskFull(what, "standard output", cli="send the output elsewhere; the work need not be repeated")
