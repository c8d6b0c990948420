"""The closing batch's place in Spark's offset log; that Spark does it is tests/jobs/core/test_downstream.py's
business."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from jobs.contract.commit import checkpoint, closing_batch, durable, mtime_order
from jobs.contract.disk import storage
from jobs.contract.errors import CheckpointDamaged

META = {"batchWatermarkMs": 5, "batchTimestampMs": 1, "conf": {"spark.sql.shuffle.partitions": "4"}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A checkpoint with batch 3 planned and committed, its watermark then at 7."""
    for folder in ("offsets", "commits"):
        (tmp_path / folder).mkdir()
    (tmp_path / "metadata").write_text('{"id":"q"}')
    (tmp_path / "offsets/3").write_text(f'v1\n{json.dumps(META)}\n{{"logOffset":9}}')
    (tmp_path / "commits/3").write_text('v1\n{"nextBatchWatermarkMs":7}')
    return tmp_path


def test_it_is_the_newest_offset_with_another_watermark_and_no_input(path: Path) -> None:
    assert (closing_batch.is_due(path), closing_batch.watermark_ms(path)) == (True, 7)
    assert closing_batch.plan(path, 900, 50) == 4
    made = checkpoint.read_offset(path, 4)
    assert (made.watermark_ms, made.timestamp_ms, made.position) == (900, 50, {"logOffset": 9})
    meta = json.loads((path / "offsets/4").read_text().split("\n")[1])
    assert meta["conf"]["spark.sql.shuffle.partitions"] == "4"
    assert (
        closing_batch.is_closing(path, 3),
        closing_batch.is_closing(path, 4),
        closing_batch.is_due(path),
    ) == (False, True, False)
    assert checkpoint.read(path).newest_offset == 4
    assert [p.name for p in (path / "offsets").iterdir() if p.name.startswith(".")] == []


def test_it_never_overwrites_and_a_checkpoint_without_a_batch_has_nothing_to_close(
    path: Path, tmp_path: Path
) -> None:
    assert not closing_batch.is_due(tmp_path / "none")
    (path / "offsets/4").write_text("torn")
    with pytest.raises(CheckpointDamaged):
        closing_batch.plan(path, 900, 50)


def test_state_files_are_synced_once_and_again_when_they_change(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(storage, "fsync_file", lambda file: synced.append(file.name))
    folder = path / "state/0/1"
    folder.mkdir(parents=True)
    known: dict[str, int] = {}
    (folder / "1.delta").write_text("a")
    durable.make_state_durable(path, known)
    (folder / "2.delta").write_text("b")
    durable.make_state_durable(path, known)
    os.utime(folder / "1.delta", ns=(1, 1))
    durable.make_state_durable(path, known)
    assert synced == ["1.delta", "2.delta", "1.delta"]


def test_a_batch_is_younger_than_the_one_before_it_whatever_the_clock_did(tmp_path: Path) -> None:
    def part(folder: str, seconds: float) -> Path:
        file = tmp_path / folder / "part-0"
        file.parent.mkdir(parents=True)
        file.touch()
        os.utime(file, (seconds, seconds))
        return file

    part("gen=0001/batch=000000000", 500)
    last = part("gen=0001/batch=000000001", 1000)
    for staged, target, seconds in (
        ("s1", "gen=0001/batch=000000002", 700),
        ("s2", "gen=0002/batch=000000000", 700),
        ("s3", "gen=0001/batch=000000002", 2000),
    ):
        file = part(staged, seconds)
        mtime_order.keep_ascending(file.parent, tmp_path / target)
        found = file.stat().st_mtime_ns
        assert found == (last.stat().st_mtime_ns + 1_000_000 if seconds < 1000 else 2000 * 10**9), staged
    first = part("s4", 3)
    mtime_order.keep_ascending(first.parent, tmp_path / "none/gen=0001/batch=000000000")
    assert first.stat().st_mtime == 3
