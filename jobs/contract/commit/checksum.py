"""Checks a checkpoint file against the `.NAME.crc` that Hadoop keeps beside it.

Spark does not read a file that differs from its checksum. A power cut may leave either of the two half
written.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from jobs.contract.errors import CheckpointDamaged

# Magic, and the number of bytes that one checksum covers. Then follows a CRC-32 for each such piece.
_HEADER = struct.Struct(">4si")


def verify(file: Path) -> None:
    """Raises CheckpointDamaged where Hadoop would refuse to read `file`. Without a checksum file, or with an
    incomplete header in it, Hadoop reads the file unchecked; so nothing is raised."""
    try:
        sums = file.with_name(f".{file.name}.crc").read_bytes()
        data = file.read_bytes()
    except FileNotFoundError:
        return
    if len(sums) < _HEADER.size or sums[:4] != b"crc\0":
        return
    piece = max(1, _HEADER.unpack_from(sums)[1])
    actual = b"".join(
        struct.pack(">I", zlib.crc32(data[start : start + piece])) for start in range(0, len(data), piece)
    )
    if not sums[_HEADER.size :].startswith(actual):
        raise CheckpointDamaged("it differs from its checksum", file)
