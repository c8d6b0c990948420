"""Names: which files intake ignores, the safe form of a name, and what a suffix makes Spark do."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Literal

MAX_CHARS = 100
Codec = Literal["", "gz", "bz2"]
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_SUFFIX = re.compile(r"(\.[A-Za-z0-9-]{1,10}){1,2}\Z")
_CODEC = re.compile(r"\.(gz|bz2)\Z", re.IGNORECASE)
# Spark decodes the first ones in ways the standard library cannot, and reads the others as if they were text
DECODED = (".zst", ".lz4", ".snappy", ".deflate", ".lzo", ".lzo_deflate")
UNCOUNTABLE = (*DECODED, ".xz", ".zip", ".tgz", ".gzip", ".7z", ".z", ".tar", ".rar")
MAGIC = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\x00", "xz"), (b"PK\x03\x04", "zip"))


def is_ignored(name: str) -> bool:
    """Hidden by convention, or a name of a file still being delivered."""
    return name.startswith((".", "_")) or name.lower().endswith((".tmp", ".part"))


def safe_name(name: str) -> str:
    """1 to 100 characters of [A-Za-z0-9._-]; the suffix is kept, a codec's in lower case (Hadoop knows `.gz`, not `.GZ`)."""
    safe = _CODEC.sub(lambda m: m[0].lower(), _UNSAFE.sub("_", name))
    suffix = _SUFFIX.search(safe)
    tail = suffix[0] if suffix else ""
    return safe[: len(safe) - len(tail)][: MAX_CHARS - len(tail)] + tail


def codec(safe: str) -> Codec:
    """How Spark will decode a file of this name."""
    match = _CODEC.search(safe)
    return "gz" if match and match[1] == "gz" else "bz2" if match else ""


def unfit_name(safe: str) -> str:
    """Why a file of this name cannot be counted the way Spark reads it; empty when it can."""
    suffix = PurePath(safe).suffix.lower()
    return f"{suffix} files cannot be counted; deliver plain text, .gz or .bz2" if suffix in UNCOUNTABLE else ""
