"""Names of files: which ones intake ignores, their safe form, and what a suffix makes Spark do."""

from __future__ import annotations

import re
from pathlib import PurePath

from jobs.contract.disk.ledger import SAFE_CHARS as MAX_CHARS
from jobs.contract.stream.partial_names import is_ignored as is_ignored

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_SUFFIX = re.compile(r"(\.[A-Za-z0-9-]{1,10}){1,2}\Z")
_CODEC = re.compile(r"\.(gz|bz2)\Z", re.IGNORECASE)
# Spark decodes the first group in ways that the standard library cannot, and reads the others as plain text.
DECODED = (".zst", ".lz4", ".snappy", ".deflate", ".lzo", ".lzo_deflate")
UNCOUNTABLE = (*DECODED, ".xz", ".zip", ".tgz", ".gzip", ".7z", ".z", ".tar", ".rar")
MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x04\x22\x4d\x18", "lz4"),
    *((b"BZh%d1AY&SY" % level, "bzip2") for level in range(1, 10)),
)
_BINARY = (
    (b"Obj\x01", "Avro"),
    (b"SQLite format 3\0", "SQLite"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document"),
    (b"\x7fELF", "a program"),
    (b"\xca\xfe\xba\xbe", "a Java class"),
    (b"\x89PNG\r\n\x1a\n", "an image"),
    (b"\xff\xd8\xff", "an image"),
)
# Text may begin with these letters, too: they count only if control characters follow.
_BINARY_WORDS = (
    (b"PAR1", "Parquet"),
    (b"ORC", "ORC"),
    (b"ARROW1", "Arrow"),
    (b"%PDF-", "PDF"),
    (b"GIF8", "an image"),
)
_TAR = slice(257, 262)  # where a tar archive has the letters "ustar"
_REASON = re.compile(r"[0-9a-f]{16}(\.\d+)?-.+\.reason\.json")


def safe_name(name: str) -> str:
    """1 to 100 characters of [A-Za-z0-9._-]. It keeps the suffix, and a codec's suffix becomes lower case,
    because Hadoop knows `.gz` but not `.GZ`."""
    safe = _CODEC.sub(lambda m: m[0].lower(), _UNSAFE.sub("_", name))
    suffix = _SUFFIX.search(safe)
    tail = suffix[0] if suffix else ""
    return safe[: len(safe) - len(tail)][: MAX_CHARS - len(tail)] + tail


def unfit_name(safe: str) -> str:
    """Why a file of this name cannot be counted in the way that Spark reads it; empty if it can."""
    suffix = PurePath(safe).suffix.lower()
    why = f"packed: {suffix} files cannot be counted; deliver plain text, .gz or .bz2"
    return why if suffix in UNCOUNTABLE else ""


def is_reason(name: str) -> bool:
    """Whether this is the reason that intake writes beside a refused file. Somebody may put both back."""
    return bool(_REASON.fullmatch(name))


def delivered(name: str, content_hash: str) -> str:
    """The name as delivered. A file that was refused before has the start of its content hash in front."""
    return re.sub(rf"\A{content_hash[:16]}(\.\d+)?-(?=.)", "", name, flags=re.ASCII)


def magic(start: bytes) -> str:
    """The kind of a file that is not text, from its first bytes; empty if they do not tell."""
    kinds = [kind for mark, kind in (*MAGIC, *_BINARY) if start.startswith(mark)]
    if not kinds and any(byte < 9 for byte in start[:512]):
        kinds = [kind for mark, kind in _BINARY_WORDS if start.startswith(mark)]
    if not kinds and start[_TAR] == b"ustar":
        kinds = ["a tar archive"]
    return kinds[0] if kinds else ""
