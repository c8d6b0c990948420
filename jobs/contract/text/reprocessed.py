"""The first line of a delivery of reprocessed records. Intake recognises it by this line, csv reading also by
its name."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

ID_BYTES = 129  # 128 blanks and the line's end
_HEADED = re.compile(r"-reproceso-.*-b\d{9,}-h\d+\.")


def id_line(operation: str, name: str) -> bytes:
    """The first line of the delivery `name`: a blank line whose spaces and tabs encode 128 bits of a hash.

    No reader counts it as a record. It makes the content unique, so that intake does not refuse the delivery
    as a duplicate, and it identifies the delivery whatever name it was admitted under.
    """
    spelled = hashlib.sha256(f"{operation} {name}".encode()).digest()[:16]
    return (
        "".join(f"{byte:08b}" for byte in spelled).translate({ord("0"): " ", ord("1"): "\t"}).encode() + b"\n"
    )


def is_id_line(start: bytes) -> bool:
    """Whether `start`, the first ID_BYTES of a file, is the id line of a delivery."""
    return len(start) == ID_BYTES and start.endswith(b"\n") and not start.strip(b" \t\n")


def is_headless(path: Path) -> bool:
    """Whether the admitted file at `path` is a delivery of csv records in the schema's order, without a
    header."""
    if "-reproceso-" not in path.name or _HEADED.search(path.name):
        return False
    with path.open("rb") as file:
        return is_id_line(file.read(ID_BYTES))
