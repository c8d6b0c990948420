"""Reads delivered files: unpacks them by the ending of their name, and cuts them into lines as Spark does.

A line ends only at \\n. A \\r before it does not belong to the text. Byte order marks at the start of a line
do not belong to it either, because files joined with `cat` have them in the middle. Anywhere else in a line,
a mark is data.
"""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

BOM = b"\xef\xbb\xbf"
BLANKS = b" \t\r\n\x0b\x0c"  # ASCII white space, as in Bytes.java: both sides must count the same records
# What reading may raise: a missing file, or packed bytes that are cut off or damaged.
UNREADABLE = (OSError, EOFError, zlib.error)
Codec = Literal["", "gz", "bz2"]
Text = IO[bytes] | gzip.GzipFile | bz2.BZ2File


def codec(name: str) -> Codec:
    """How a file of this name is packed; empty when it is not."""
    name = name.lower()
    return "gz" if name.endswith(".gz") else "bz2" if name.endswith(".bz2") else ""


@contextmanager
def opened(path: Path) -> Iterator[Text]:
    """The unpacked text of a file. Raises UNREADABLE, also while the text is read."""
    kind = codec(path.name)
    with gzip.open(path) if kind == "gz" else bz2.open(path) if kind == "bz2" else path.open("rb") as text:
        yield text


def content(line: bytes) -> bytes:
    """The line without byte order marks at its start, and without its line end."""
    return unmarked(line).removesuffix(b"\n").rstrip(b"\r")


def unmarked(line: bytes) -> bytes:
    """The line without the byte order marks at its start."""
    while line.startswith(BOM):
        line = line.removeprefix(BOM)
    return line


def is_blank(line: bytes) -> bool:
    """Whether the line is not a record: only white space, after byte order marks if there are any."""
    return not unmarked(line).strip(BLANKS)


def first_line(path: Path, longest: int) -> bytes:
    """The content of the first line that is not blank, at most `longest` bytes; empty when there is none.
    Raises UNREADABLE."""
    with opened(path) as text:
        while line := text.readline(longest):
            if not is_blank(line):
                return content(line)
    return b""
