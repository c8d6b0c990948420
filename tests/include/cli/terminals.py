"""A verb, or any program, on a terminal of a given size: what a person's screen is sent."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from contextlib import suppress

from include.settings import ROOT

CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\r")
FRAMES = ("| ", "/ ", "- ", "\\ ")  # each before a step's title
_QUIET = ("NO_COLOR", "CI", "COLUMNS", "LINES", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")


def on_a_terminal(argv: Sequence[str], columns: int, **variables: str) -> tuple[int, str]:
    """The return code, and all that was written to stdout and stderr, which are the terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    kept = {k: v for k, v in os.environ.items() if k not in _QUIET}
    environ = {**kept, "TERM": "xterm", "PYTHONPATH": str(ROOT), **variables}
    with subprocess.Popen(argv, cwd=ROOT, env=environ, stdin=theirs, stdout=theirs, stderr=theirs) as child:
        os.close(theirs)
        sent = bytearray()
        with suppress(OSError):  # the other side is closed
            while part := os.read(ours, 65536):
                sent += part
    os.close(ours)
    return child.returncode, sent.decode()


def kept(sent: str) -> list[str]:
    """The lines that stay on the screen: not what was wiped away again, without control characters."""
    lines: list[str] = []
    for line in sent.split("\n"):
        if "\x1b[1A" in line:  # up again, and over it
            lines.pop()
        lines.append(CONTROL.sub("", line.rpartition("\x1b[2K")[2]))
    return lines


def verb(columns: int, *words: str, **variables: str) -> list[str]:
    """What stays on the screen of a verb that ended well, but for how long a step took."""
    code, sent = on_a_terminal([sys.executable, "-P", "-m", "include.cli", *words], columns, **variables)
    assert code == 0, sent
    return [line for line in kept(sent) if ": done in " not in line]
