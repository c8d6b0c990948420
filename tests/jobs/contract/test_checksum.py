"""Checksums as Hadoop writes and refuses them; Spark itself is the reference."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from jobs.contract.commit import checkpoint, checksum
from jobs.contract.errors import CheckpointDamaged


def crc(data: bytes, piece: int = 512) -> bytes:
    parts = [data[i : i + piece] for i in range(0, len(data), piece)]
    return struct.pack(">4si", b"crc\0", piece) + b"".join(
        struct.pack(">I", zlib.crc32(part)) for part in parts
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "commits" / "2"
    path.parent.mkdir()
    path.write_bytes(b'v1\n{"nextBatchWatermarkMs":0}' + b" " * 1000)
    path.with_name(".2.crc").write_bytes(crc(path.read_bytes()))
    return path


def test_a_whole_file_is_taken_and_one_without_a_whole_header_too(file: Path) -> None:
    checksum.verify(file)
    for start in (b"", b"crc", b"crc\0\0\0\2", b"xyz\0\0\0\2\0"):
        file.with_name(".2.crc").write_bytes(start)
        checksum.verify(file)
    file.with_name(".2.crc").unlink()
    checksum.verify(file)


@pytest.mark.parametrize("torn", [slice(0, 8), slice(0, 12), slice(0, 15)])
def test_a_torn_checksum_is_named_with_the_repair(torn: slice, file: Path) -> None:
    beside = file.with_name(".2.crc")
    beside.write_bytes(beside.read_bytes()[torn])
    with pytest.raises(
        CheckpointDamaged, match="the newest of commits: it differs from its checksum"
    ) as caught:
        checkpoint.read(file.parent.parent)
    assert caught.value.way_cli.startswith("remove 2 and .2.crc there")


def test_one_changed_byte_is_seen(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[700] ^= 1
    file.write_bytes(data)
    with pytest.raises(CheckpointDamaged, match="differs from its checksum"):
        checksum.verify(file)


def test_the_newest_source_log_is_checked_and_may_go_while_no_batch_was_planned_from_it(
    tmp_path: Path,
) -> None:
    log = tmp_path / "sources" / "0" / "0"
    log.parent.mkdir(parents=True)
    log.write_text('v1\n{"path":"file:///a","timestamp":1,"batchId":0}')
    log.with_name(".0.crc").write_bytes(crc(b"something else"))
    with pytest.raises(CheckpointDamaged, match="differs from its checksum") as caught:
        checkpoint.read(tmp_path)
    assert "remove 0 and .0.crc there" in caught.value.way_cli


@pytest.mark.spark
def test_sparks_own_checksums_are_understood(spark: object, tmp_path: Path) -> None:
    """A checkpoint of a real query: every file that has one verifies, and none does after a byte was
    changed."""
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.txt").write_text("x\n")
    frame = spark.readStream.format("text").load(str(source))  # type: ignore[attr-defined]
    frame.writeStream.format("noop").option("checkpointLocation", str(tmp_path / "c")).trigger(
        availableNow=True
    ).start().awaitTermination()
    files = [p for p in (tmp_path / "c").rglob("*") if p.is_file() and p.with_name(f".{p.name}.crc").exists()]
    assert {p.parent.name for p in files} >= {"offsets", "commits"}
    for one in files:
        checksum.verify(one)
        data = one.read_bytes()
        one.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        with pytest.raises(CheckpointDamaged):
            checksum.verify(one)
