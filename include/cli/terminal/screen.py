"""What verbs print onto: a terminal with its width, or a pipe, a file, a log, which get whole lines and no control character."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TextIO

from rich.cells import cell_len


def is_terminal(stream: TextIO) -> bool:
    """Whether a person reads there. Never raises: a program may be started with its output closed."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def styled(stream: TextIO) -> bool:
    """Whether control characters may go there: to a terminal that knows them, unless NO_COLOR, a dumb terminal or CI says no."""
    variables = os.environ  # noqa: TID251 - of the terminal, not of Caudal
    unable = variables.get("TERM", "dumb") in ("dumb", "unknown", "")
    return is_terminal(stream) and not (unable or variables.get("NO_COLOR") or variables.get("CI"))


def width() -> int | None:
    """Columns of the terminal that stdout is; None where lines may have any length."""
    return max(20, shutil.get_terminal_size().columns) if is_terminal(sys.stdout) else None


def printable(text: str) -> str:
    """One line whatever is in it: control characters of foreign data are shown, not sent to the terminal; bytes that were no text (surrogates of
    a file name) as these bytes."""
    return "".join(
        c
        if c.isprintable() or c == "\t"
        else f"\\x{ord(c) & 0xFF if 0xDC80 <= ord(c) <= 0xDCFF else ord(c):02x}"
        for c in text
    )


def padded(text: str, columns: int) -> str:
    """`text` with blanks up to so many columns of a terminal; a character takes none (an accent apart), one or two (漢)."""
    return text + " " * (columns - cell_len(text))
