"""Standard output that ends no verb in mid work: what a closed pipe or a full disk does not take is lost, and the exit code tells."""

from __future__ import annotations

import errno
import io
import sys
from typing import Any

from jobs.contract.errors import DiskFull

# they only tell: nothing is lost when they stop at once, and `consume` may have a million records to go
_TELL = ("audit", "checkpoint", "checkpoint-show", "consume", "doctor", "show", "status", "where")


class Patient(io.FileIO):
    """A descriptor whose first failed write is remembered, and no error."""

    lost: OSError | None = None

    def write(self, data: Any) -> int:
        if self.lost is None:
            try:
                return super().write(data) or 0
            except OSError as error:
                self.lost = error
        return memoryview(data).nbytes


def install(verb: str) -> Patient | None:
    """Makes stdout and stderr patient; stdout of a verb that only tells stays as it is. Returns stdout's, None when it is no file of this process."""
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
    """The verb's own code, or, where it was done and could not say so: 141 for a reader that went away. Raises DiskFull for any other loss."""
    if code or out is None or out.lost is None:
        return code
    if out.lost.errno == errno.EPIPE:
        return 141
    what = f"the work is done, but standard output took no more of what was to be said: {out.lost.strerror}"
    raise DiskFull(what, "standard output", cli="send the output elsewhere; nothing has to be done again")
