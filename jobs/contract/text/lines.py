"""The one reader of delivered files: whatever looks into a file sees its text through the codec of its name,
cut into lines as Spark cuts it.

A line ends at \\n alone; a \\r before it is no part of what the line says. A byte order mark is no part of it
either, however many stand at its start: files that were joined with `cat` have one in the middle. A mark
anywhere else in a line is data.
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
BLANKS = b" \t\r\n\x0b\x0c"
UNREADABLE = (
    OSError,
    EOFError,
    zlib.error,
)  # what reading raises: no such file, or packed bytes that are cut off or damaged
Codec = Literal["", "gz", "bz2"]
Text = IO[bytes] | gzip.GzipFile | bz2.BZ2File


def codec(name: str) -> Codec:
    """How the content of a file of this name is packed."""
    name = name.lower()
    return "gz" if name.endswith(".gz") else "bz2" if name.endswith(".bz2") else ""


@contextmanager
def opened(path: Path) -> Iterator[Text]:
    """The text of a file, unpacked. Raises UNREADABLE, here and while it is read."""
    kind = codec(path.name)
    with gzip.open(path) if kind == "gz" else bz2.open(path) if kind == "bz2" else path.open("rb") as text:
        yield text


def said(line: bytes) -> bytes:
    """What a line says: without byte order marks at its start, and without its line end."""
    return unmarked(line).removesuffix(b"\n").rstrip(b"\r")


def unmarked(line: bytes) -> bytes:
    """The line without the byte order marks at its start."""
    while line.startswith(BOM):
        line = line.removeprefix(BOM)
    return line


def is_blank(line: bytes) -> bool:
    """Whether a line is no record: white space only, byte order marks before it left out."""
    return not unmarked(line).strip(BLANKS)


def first_line(path: Path, longest: int) -> bytes:
    """What the first line that is not blank says, at most `longest` bytes of it; empty when there is none.
    Raises UNREADABLE."""
    with opened(path) as text:
        while line := text.readline(longest):
            if not is_blank(line):
                return said(line)
    return b""
