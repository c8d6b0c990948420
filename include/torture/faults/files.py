"""Faults of a stream from files to files. Each takes the same steps on either side; the first line of its
docstring is its name in the table."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable

from include.torture.faults.sides import Side
from include.torture.runs import settle

Fault = Callable[[Side], list[int]]  # returns the exit codes of the runs from the fault on
BIG = 12_000  # invoices, 10 MB: writing them takes long enough for a kill to hit it
FULL = "16m"  # of disk: a small run fits and a BIG file fits, but not its output
FREED = "400m"  # room for both
FUTURE_S = 4_000_000_000.0  # a moment in 2096


def checkpoint_removed(side: Side) -> list[int]:
    """`rm -rf` of the checkpoint to start afresh, then the next delivery"""
    side.put("a.json", 1)
    side.run()
    side.drop(side.checkpoint)
    _taken_away(side, "a.json")
    side.put("b.json", 2)
    return [side.run()]


def output_removed(side: Side) -> list[int]:
    """`rm -rf` of the output, then the next delivery"""
    side.put("a.json", 1)
    side.run()
    side.drop(side.output)
    side.put("b.json", 2)
    return [side.run()]


def moved_while_planned(side: Side) -> list[int]:
    """run killed after planning; its input archived by `mv`; next delivery"""
    side.put("a.json", 1)
    side.kill_when(side.planned)
    side.move_away("a.json")
    side.put("b.json", 2)
    return [side.run()]


def killed_while_writing(side: Side) -> list[int]:
    """`kill -9` in the middle of writing; run again"""
    side.put("a.json", 1, BIG)
    side.kill_when(side.written)
    return [side.run()]


def two_at_once(side: Side) -> list[int]:
    """two runs at the same moment"""
    side.put("a.json", 1, 5000)
    first, second = side.start(), side.start()
    together = sorted((side.end(first), side.end(second)), reverse=True)
    return [*together, side.run()]


def same_name(side: Side) -> list[int]:
    """another delivery under the same file name"""
    side.put("a.json", 1)
    side.run()
    side.put("a.json", 2)
    return [side.run()]


def same_content(side: Side) -> list[int]:
    """the same file delivered twice, under two names"""
    text = side.put("a.json", 1).read_text(encoding="utf-8")
    side.run()
    side.write("a (1).json", text)
    return [side.run()]


def half_written(side: Side) -> list[int]:
    """a run while a producer is half-way through its file; run again when it is done"""
    path = side.put("a.json", 1)
    text = path.read_text(encoding="utf-8")
    path.unlink()
    with path.open("w", encoding="utf-8") as file:
        file.write(text[: len(text) // 2])
        file.flush()
        settle(path)  # a producer that has paused for a minute
        during = side.run()
        file.write(text[len(text) // 2 :])
    settle(path)
    return [during, side.run()]


def future_dated(side: Side) -> list[int]:
    """a file dated in 2096, then the next delivery"""
    settle(side.put("a.json", 1), FUTURE_S)
    side.run()
    side.put("b.json", 2)
    return [side.run()]


def brackets_in_a_name(side: Side) -> list[int]:
    """a file name with brackets beside another file"""
    side.put("a.json", 1)
    side.put("[ab].json", 2)
    return [side.run()]


def colon_in_a_name(side: Side) -> list[int]:
    """a file name with a colon, then the next delivery"""
    side.put("2026-11-25T10:00.json", 1)
    first = side.run()
    side.put("b.json", 2)
    return [first, side.run()]


def link_to_a_file(side: Side) -> list[int]:
    """a link to a file of the same folder"""
    path = side.put("a.json", 1)
    path.with_name("b.json").symlink_to(path.name)
    return [side.run()]


def malformed_records(side: Side) -> list[int]:
    """malformed records of 20 kinds among good ones"""
    side.put("a.json", 1, spoiled=True)
    return [side.run()]


def last_offset_empty(side: Side) -> list[int]:
    """power cut after a planned batch: its offset file is empty"""
    side.put("a.json", 1)
    side.kill_when(side.planned)
    side.empty_last_offset()
    return [side.run()]


def disk_full(side: Side) -> list[int]:
    """disk full in the middle of writing; space is made; run again"""
    _disk(side, FULL)
    side.put("a.json", 1)
    side.run()
    side.put("b.json", 2, BIG)
    full = side.run()
    _disk(side, FREED)
    return [full, side.run()]


ALONE: tuple[Fault, ...] = (
    checkpoint_removed,
    output_removed,
    moved_while_planned,
    killed_while_writing,
    two_at_once,
    same_name,
    same_content,
    half_written,
    future_dated,
    brackets_in_a_name,
    colon_in_a_name,
    link_to_a_file,
    malformed_records,
    last_offset_empty,
)
# these need a disk of their own: `folder` is a small file system that this process may make bigger
ON_A_DISK: tuple[Fault, ...] = (disk_full,)


def _taken_away(side: Side, name: str) -> None:
    """Removes a file that was read already, as someone who starts afresh would; Caudal has archived it."""
    (side.entrada / name).unlink(missing_ok=True)


def _disk(side: Side, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", side.folder], check=True, capture_output=True)
    os.sync()
    time.sleep(0.1)
