"""Hadoop's `.NAME.crc` beside Spark's files: Spark does not read a file that differs from it, and a power cut
tears either one."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from jobs.contract.errors import CheckpointDamaged

_HEADER = struct.Struct(">4si")  # magic, bytes a checksum covers; then a CRC-32 for each such piece


def verify(file: Path) -> None:
    """Raises CheckpointDamaged where Hadoop would refuse to read `file`. One without a (whole) header beside
    it is read unchecked, as Hadoop does."""
    beside = file.with_name(f".{file.name}.crc")
    try:
        sums = beside.read_bytes()
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
