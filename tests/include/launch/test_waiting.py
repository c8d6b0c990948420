"""What counts as waiting: a file that no planned batch holds. The checkpoint's files are written as Spark
writes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from include.launch import waiting
from include.launch.waiting import Waiting
from jobs.contract.commit import loaded
from jobs.contract.commit.protocol import Next, Proceed
from jobs.contract.disk.layout import Layout
from jobs.contract.stream import Files, Stream

STREAM = Stream("s", Files("json"), Files("json"))
NAME = "000000000001-0123456789abcdef-a.json"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """One admitted file of 5 bytes."""
    made = Layout(tmp_path)
    made.en_proceso("s").mkdir(parents=True)
    (made.en_proceso("s") / NAME).write_bytes(b"{}\n{}")
    return made


def look(layout: Layout, paired: Proceed) -> Waiting:
    read = loaded.load(layout.checkpoint("s", 1), [NAME])
    return waiting.files(layout, STREAM, read, paired)


def found(layout: Layout) -> Waiting:
    return look(layout, Proceed(Next.FRESH, 0))


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["v1", *lines]))


def log(layout: Layout) -> None:
    entry = {"path": f"file://{layout.en_proceso('s') / NAME}", "timestamp": 1, "batchId": 0}
    write(layout.checkpoint("s", 1) / "sources" / "0" / "0", json.dumps(entry))


def plan(layout: Layout) -> None:
    write(
        layout.checkpoint("s", 1) / "offsets" / "0",
        json.dumps({"batchWatermarkMs": 0, "batchTimestampMs": 1}),
        '{"logOffset":0}',
    )


def test_a_file_spark_has_not_seen_is_waiting(layout: Layout) -> None:
    assert found(layout) == Waiting(False, files=1, size_bytes=5)


def test_a_file_in_the_source_log_is_still_waiting_when_a_kill_came_before_the_offset(layout: Layout) -> None:
    log(layout)
    assert found(layout) == Waiting(False, files=1, size_bytes=5)


def test_a_planned_file_is_waiting_no_more(layout: Layout) -> None:
    log(layout)
    plan(layout)
    assert found(layout) == Waiting(False)
    assert not found(layout).anything


def test_an_open_batch_is_work_without_any_new_file(layout: Layout) -> None:
    log(layout)
    plan(layout)
    assert look(layout, Proceed(Next.RERUN, 0)) == Waiting(True)
