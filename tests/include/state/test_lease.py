import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from include.state import lease
from include.state.lease import Owner
from jobs.contract.disk import processes
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import ExitCode, LeaseHeld, UnsafePath

Start = Callable[[str], "subprocess.Popen[str]"]
ROOT = Path(__file__).resolve().parents[3]
RUN = """
import os, subprocess, sys, time
from pathlib import Path
from include.state import lease
from jobs.contract.disk.layout import Layout
owner = lease.Owner(os.getpid(), "run-1", "2026-11-23T10:00:00Z", "/runs/s/run-1")
held = lease.acquire(Layout(Path(sys.argv[1])), "s", owner)
if sys.argv[2] == "exec":
    held.hand_over()
    os.execvp("sleep", ["sleep", "60"])
if sys.argv[2] == "child":
    child = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)
else:
    print("held", flush=True)
time.sleep(60)
"""


def owner(run_id: str = "run-2") -> Owner:
    return Owner(os.getpid(), run_id, "2026-11-23T11:00:00Z", f"/runs/s/{run_id}")


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a real process that takes the lease of stream s in `mode`."""
    started: list[subprocess.Popen[str]] = []

    def begin(mode: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", RUN, str(tmp_path), mode], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        started.append(child)
        return child

    yield begin
    for child in started:
        child.kill()
        child.communicate()


def sleeping(pid: int) -> bool:
    return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep\0")


def test_a_second_run_is_refused_at_once_with_all_it_needs_to_know(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    first = lease.acquire(layout, "s", owner("run-1"))
    start = time.monotonic()
    with pytest.raises(LeaseHeld) as caught:
        lease.acquire(layout, "s", owner())
    assert time.monotonic() - start < 1
    assert caught.value.exit_code == ExitCode.HELD == 75
    assert (
        caught.value.what
        == f"s is held by pid {os.getpid()} (running), started 2026-11-23T11:00:00Z, run folder /runs/s/run-1"
    )
    assert lease.holder(layout, "s") == owner("run-1")
    first.release()
    first.release()
    assert lease.holder(layout, "s") is None
    with lease.acquire(layout, "s", owner()), lease.acquire(layout, "other", owner()):
        assert lease.holder(layout, "s") == owner()
    assert lease.holder(layout, "s") is None


def test_the_lease_goes_through_exec_keeps_the_pid_and_leaves_the_publish_lock_free(
    tmp_path: Path, start: Start
) -> None:
    layout, child = Layout(tmp_path), start("exec")
    wait_until(lambda: sleeping(child.pid))
    assert lease.holder(layout, "s") == Owner(child.pid, "run-1", "2026-11-23T10:00:00Z", "/runs/s/run-1")
    with pytest.raises(LeaseHeld, match=rf"pid {child.pid} \(running"):
        lease.acquire(layout, "s", owner())
    fd = processes.lock(layout.publish_lock("s"))
    assert fd is not None
    os.close(fd)
    child.kill()
    child.wait()
    assert lease.holder(layout, "s") is None
    lease.acquire(layout, "s", owner()).release()


def test_a_stopped_holder_still_holds_and_is_said_to_be_stopped(tmp_path: Path, start: Start) -> None:
    child = start("exec")
    wait_until(lambda: sleeping(child.pid))
    child.send_signal(signal.SIGSTOP)
    wait_until(lambda: processes.process_state(child.pid) == "T")
    with pytest.raises(LeaseHeld, match=rf"pid {child.pid} \(STOPPED\)"):
        lease.acquire(Layout(tmp_path), "s", owner())


def test_a_child_of_the_holder_does_not_inherit_the_lease(tmp_path: Path, start: Start) -> None:
    child = start("child")
    assert child.stdout is not None
    grandchild = int(child.stdout.readline())
    child.kill()
    child.wait()
    try:
        assert processes.process_state(grandchild) in ("R", "S")
        lease.acquire(Layout(tmp_path), "s", owner()).release()
    finally:
        os.kill(grandchild, signal.SIGKILL)


def test_a_python_driver_that_outlives_its_jvm_is_waited_for_then_named(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    lease.acquire(layout, "s", owner()).release()
    code = (
        "import sys, time; from pathlib import Path; from jobs.contract.disk import processes as process\n"
        "process.lock(Path(sys.argv[1])); print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(layout.publish_lock("s"))], stdout=subprocess.PIPE, cwd=ROOT
    ) as driver:
        assert driver.stdout is not None
        driver.stdout.readline()
        with pytest.raises(
            LeaseHeld,
            match=r"Python driver of an earlier run of s "
            rf"\(pid {driver.pid}, running \(asleep\)\).* after 0.2 s",
        ):
            lease.acquire(layout, "s", owner(), publish_wait_s=0.2)
        assert lease.holder(layout, "s") is None  # the lease itself was given back
        driver.kill()
        lease.acquire(layout, "s", owner()).release()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b'{"pid": "x"}',
        b'{"pid": 1, "run_id": "r", "started": "s", "run_dir": "d", "ticks": 0}',
    ],
)
def test_a_holder_whose_text_is_missing_half_written_or_of_a_recycled_pid_is_named_by_the_lock(
    tmp_path: Path, text: bytes
) -> None:
    layout = Layout(tmp_path)
    path = layout.lease("s")
    path.parent.mkdir(parents=True)
    path.write_bytes(text)
    assert lease.holder(layout, "s") is None
    fd = processes.lock(path)
    assert fd is not None
    assert lease.holder(layout, "s") == Owner(os.getpid(), "", "", "")
    with pytest.raises(LeaseHeld, match=rf"pid {os.getpid()} \(running\), which has not named its run"):
        lease.acquire(layout, "s", owner())
    os.close(fd)


def test_looking_at_the_holder_never_costs_a_taker_its_lease(tmp_path: Path) -> None:
    """`holder` takes a shared lock for an instant; acquire tries for longer than that."""
    layout = Layout(tmp_path)
    lease.acquire(layout, "s", owner()).release()
    code = (
        "import sys; from pathlib import Path\n"
        "from include.state import lease; from jobs.contract.disk.layout import Layout\n"
        "print(1, flush=True)\nwhile True: lease.holder(Layout(Path(sys.argv[1])), 's')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT
    ) as looker:
        assert looker.stdout is not None
        looker.stdout.readline()
        for _ in range(50):
            lease.acquire(layout, "s", owner()).release()
        looker.kill()


def test_a_link_in_place_of_a_lock_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "home")
    layout.lease("s").parent.mkdir(parents=True)
    layout.lease("s").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafePath):
        lease.acquire(layout, "s", owner())
    assert not (tmp_path / "elsewhere").exists()
