"""After a run the operator archives what is committed and reports it in XCom, asset event and log. A held
lease is not a failure; a changed file is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from include.state import lease
from jobs.contract.disk.layout import Layout
from tests.include.airflow_kit.test_operator import DONE, Task, failure, task
from tests.include.housekeeping.handmade import STREAM, Hand

__all__ = ["task"]
NOTHING = {"files": 0, "bytes": 0, "kept": 0, "first_kept": [], "held": "", "error": None}


@pytest.fixture
def hand(task: Task) -> Hand:
    """Two committed files in the task's home."""
    made = Hand(task.layout.home)
    made.batch(made.admit(b"1\n", b"2\n"))
    return made


@pytest.mark.parametrize("status", ["done", "idle"])
def test_what_is_committed_is_archived_right_after_the_run(
    task: Task, hand: Hand, status: str, capsys: pytest.CaptureFixture[str]
) -> None:
    task.script(end=DONE | {"status": status})
    values = task.run(task.operator(STREAM))
    assert values["archive"] == NOTHING | {"files": 2, "bytes": 4}
    assert (values["status"], task.extra.extra) == (status, values)
    assert "archived 2 files, 4 bytes" in capsys.readouterr().out
    assert not any(hand.here.glob("0*"))
    assert task.run(task.operator(STREAM))["archive"] == NOTHING


def test_a_failed_run_archives_nothing(task: Task, hand: Hand) -> None:
    task.script(exit=70, end={"status": "failed", "exit_code": 70})
    failure(task, AirflowException, operator=task.operator(STREAM))
    assert len(list(hand.here.glob("0*"))) == 2


def test_a_lease_that_is_held_meanwhile_is_a_line_and_no_failure(
    task: Task, hand: Hand, capsys: pytest.CaptureFixture[str]
) -> None:
    """The test's launcher takes the lease file, so the archiver finds the other lock taken: a Python driver
    that still publishes."""
    path = hand.layout.publish_lock("s")
    path.parent.mkdir(parents=True, exist_ok=True)
    wait_s = lease.acquire.__defaults__
    lease.acquire.__defaults__ = (0.0,)
    try:
        with path.open("a") as held:
            import fcntl

            fcntl.flock(held, fcntl.LOCK_EX)
            values = task.run(task.operator(STREAM))
    finally:
        lease.acquire.__defaults__ = wait_s
    assert values["archive"]["files"] == 0
    assert f"pid {os.getpid()}" in values["archive"]["held"]
    assert "nothing archived now: the Python driver of an earlier run" in capsys.readouterr().out


def test_a_file_that_grew_fails_the_task_by_name_after_everything_is_told(task: Task, hand: Hand) -> None:
    grown = min(hand.here.glob("0*"))
    grown.write_bytes(b"1\nmore\n")
    text = failure(task, AirflowFailException, operator=task.operator(STREAM))
    assert text.startswith(
        f"file-changed: changed since intake: 7 bytes now, 2 then [data/en_proceso/s/{grown.name}] -> "
        "command line: what was added"
    )
    assert task.extra.extra["archive"]["files"] == 1
    assert task.extra.extra["archive"]["error"]["code"] == "file-changed"
    assert [path.name for path in hand.here.glob("0*")] == [grown.name]


def test_a_stream_that_has_no_files_costs_nothing(task: Task) -> None:
    assert task.run()["archive"] == NOTHING
    assert not Layout(Path(task.layout.home)).journal("f").exists()


def test_a_file_that_is_nowhere_after_its_run_fails_the_task_by_name(task: Task, hand: Hand) -> None:
    task.script(end=DONE | {"generation": 1, "batches": [], "files_admitted": 2})
    values = task.run(task.operator(STREAM))
    assert values["files"] == {"files": 2, "en_proceso": 0, "archivo": 2, "error": None, "unchecked": ""}
    gone = min(hand.layout.archivo("s").rglob("0*"))
    gone.unlink()
    text = failure(task, AirflowFailException, operator=task.operator(STREAM))
    assert text.startswith(
        f"account-mismatch: {gone.name} was admitted, but lies neither in en_proceso nor in archivo"
    )
    assert task.extra.extra["files"]["archivo"] == 1
