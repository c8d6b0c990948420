"""What verbs print to: a terminal with a width; or a pipe, file or log, which get whole lines without control
characters."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TextIO

from rich.cells import cell_len


def is_terminal(stream: TextIO) -> bool:
    """Whether `stream` is a terminal. Never raises: a program may be started with its output closed."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def styled(stream: TextIO) -> bool:
    """Whether control characters may be sent to `stream`: a terminal that knows them, unless NO_COLOR, a dumb
    terminal or CI forbids it."""
    variables = os.environ  # noqa: TID251 - of the terminal, not of Caudal
    unable = variables.get("TERM", "dumb") in ("dumb", "unknown", "")
    return is_terminal(stream) and not (unable or variables.get("NO_COLOR") or variables.get("CI"))


def width() -> int | None:
    """Columns of stdout's terminal; None if stdout is not a terminal, so that lines may have any length."""
    return max(20, shutil.get_terminal_size().columns) if is_terminal(sys.stdout) else None


def printable(text: str) -> str:
    """`text` on one line, whatever it contains. Control characters are shown as \\x.., not sent to the
    terminal, and so are the undecodable bytes of a file name (surrogates)."""
    return "".join(
        c
        if c.isprintable() or c == "\t"
        else f"\\x{ord(c) & 0xFF if 0xDC80 <= ord(c) <= 0xDCFF else ord(c):02x}"
        for c in text
    )


def padded(text: str, columns: int) -> str:
    """`text` with blanks up to `columns` columns of a terminal. A character takes none (a combining accent),
    one, or two (漢)."""
    return text + " " * (columns - cell_len(text))
