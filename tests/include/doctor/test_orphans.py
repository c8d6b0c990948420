"""What killed programs leave, made by killing programs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from include.doctor import orphans
from include.launch import run
from include.launch.request import Request
from include.settings import Settings
from include.state import journal, lease
from include.state.journal import Operation, Step
from jobs.contract.disk import failpoints, storage
from jobs.contract.errors import UsageError
from jobs.contract.run import report
from tests.include.doctor.conftest import STREAM, lines
from tests.include.doctor.test_streams import HOLD

NOW = datetime(2026, 11, 25, tzinfo=UTC)
LOOSE = """
import subprocess, sys
words = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)", "--spec", sys.argv[1]]
child = subprocess.Popen(words, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""


def test_an_empty_home_has_no_orphans(empty: Settings) -> None:
    found = [
        *orphans.drivers(empty),
        *orphans.leases(empty),
        *orphans.operations(empty),
        *orphans.torn(empty, NOW),
        *orphans.failpoint(empty),
    ]
    assert [f.state for f in found] == ["ok"] * 4


def test_a_driver_whose_parent_was_killed_is_wrong_and_named_by_pid(empty: Settings) -> None:
    spec = str(empty.layout.run(STREAM, "r-1") / "spec.json")
    with subprocess.Popen(
        [sys.executable, "-c", LOOSE, spec], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        try:
            assert [(f.state, f.what) for f in orphans.drivers(empty)] == [
                ("ok", "1 under way, each with its parent")
            ]
            parent.kill()
            parent.wait()
            (finding,) = orphans.drivers(empty)
        finally:
            os.kill(child, signal.SIGKILL)
    assert finding.state == "wrong" and finding.what.startswith(f"pid {child} (python")
    assert finding.fix.startswith(f"kill -KILL {child}: safe")


def fd_of(path: Path) -> int:
    """The descriptor of this process that has `path` open."""
    return next(
        int(link.name)
        for link in Path("/proc/self/fd").iterdir()
        if link.is_symlink() and link.readlink() == path
    )


def hold(settings: Settings, name: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-c", HOLD, str(settings.home), name]
    held = subprocess.Popen(
        line,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(settings.root)},
    )
    assert held.stdout is not None and held.stdout.readline() == "held\n"
    return held


def test_a_lease_of_the_dead_is_a_note_and_the_next_holder_gets_it(empty: Settings) -> None:
    with hold(empty, STREAM) as held:
        assert [f.what for f in orphans.leases(empty)] == ["1 held, none left by a process that died"]
        held.kill()
    (line,) = lines(orphans.leases(empty), "note")
    since = "since 2026-11-23T12:00:00+00:00"
    assert line == f"{STREAM}: pid {held.pid} died while it held the lease, {since} [/runs/r-1]"
    with lease.acquire(empty.layout, STREAM, lease.Owner(os.getpid(), "r-2", "now", "here")):
        pass
    assert lines(orphans.leases(empty), "note") == []


@pytest.mark.parametrize("status", get_args(report.Status))
def test_the_text_of_a_run_whose_report_has_ended_is_no_death(empty: Settings, status: report.Status) -> None:
    for name in (STREAM, "gone"):
        folder = empty.layout.run(name, "r-1")
        storage.make_dirs(folder)
        (folder / "report.json").write_bytes(report.Report(name, "r-1", status, "now").to_json())
        lease.acquire(
            empty.layout, name, lease.Owner(os.getpid(), "r-1", "now", str(folder))
        ).hand_over()  # as exec does, without letting go
        os.close(fd_of(empty.layout.lease(name)))
    died = [
        f"gone: pid {os.getpid()} died while it held the lease, since now [{empty.layout.run('gone', 'r-1')}]"
    ]
    assert lines(orphans.leases(empty), "note") == (died if status == "running" else [])


def test_an_idle_run_and_a_refused_one_let_go_of_the_lease_and_of_their_text(empty: Settings) -> None:
    assert run.ready(empty, Request(STREAM, "", "local[2]"), NOW) is None
    assert (empty.layout.lease(STREAM).read_text(), lines(orphans.leases(empty), "note")) == ("", [])
    with pytest.raises(UsageError, match="no windows to close"):
        run.ready(empty, Request(STREAM, "", "local[2]", close_windows=True), NOW)
    assert (empty.layout.lease(STREAM).read_text(), lease.holder(empty.layout, STREAM)) == ("", None)


def test_a_held_lease_of_a_stream_that_is_not_registered_is_wrong(empty: Settings) -> None:
    with hold(empty, "gone") as held:
        assert lines(orphans.leases(empty)) == [
            f"pid {held.pid} holds the lease of gone, which is not registered [/runs/r-1]"
        ]
        held.kill()


@pytest.mark.parametrize(("name", "fix"), [(STREAM, f"./caudal run {STREAM}"), ("gone", "clean_checkpoints")])
def test_an_operation_that_was_cut_short_is_a_note_with_who_finishes_it(
    empty: Settings, name: str, fix: str
) -> None:
    path = empty.layout.journal(name)
    journal.begin(
        path, Operation("op-1", "archive", 1, "2026-11-24"), [Step(1, "write", target="x", data="y")]
    )
    (finding,) = orphans.operations(empty)
    assert (finding.state, finding.what) == (
        "note",
        f"archive of {name} was cut short: op-1, 1 step, begun 2026-11-24",
    )
    assert fix in finding.fix
    journal.finish(path, Operation("op-1", "archive", 1, "2026-11-24"), "now")
    assert [f.state for f in orphans.operations(empty)] == ["ok"]


def test_temporary_files_older_than_a_day_are_a_note_younger_and_foreign_ones_are_not(
    empty: Settings,
) -> None:
    folder = empty.layout.entrada(STREAM)
    folder.mkdir()
    ages = {
        f"{storage.TEMP_PREFIX}{'0' * 16}": 25,
        f"{storage.TEMP_PREFIX}{'1' * 16}": 23,
        ".tmp-mine": 999,
        "data.json": 999,
    }
    for name, hours in ages.items():
        (folder / name).write_text("half")
        at = (NOW - timedelta(hours=hours)).timestamp()
        os.utime(folder / name, (at, at))
    first = Path(folder, f"{storage.TEMP_PREFIX}{'0' * 16}")
    assert lines(orphans.torn(empty, NOW), "note") == [
        f"1 temporary file of killed programs, 4 bytes, first [{first}]"
    ]


def test_an_armed_failpoint_is_wrong(empty: Settings) -> None:
    from dataclasses import replace

    armed = replace(empty, environ={**empty.environ, failpoints.VARIABLE: "published:1"})
    (finding,) = orphans.failpoint(armed)
    assert (finding.state, finding.fix) == ("wrong", "unset CAUDAL_FAILPOINT")
