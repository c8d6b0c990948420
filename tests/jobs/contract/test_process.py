import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.contract.disk import processes
from jobs.contract.errors import UnsafePath


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def test_a_lock_is_held_once_and_free_when_closed(tmp_path: Path) -> None:
    fd = processes.lock(tmp_path / "l")
    assert fd is not None
    assert processes.lock(tmp_path / "l") is None
    assert processes.is_locked(tmp_path / "l")
    assert processes.lock_pid(tmp_path / "l") == os.getpid()
    os.close(fd)
    assert not processes.is_locked(tmp_path / "l")
    assert not processes.is_locked(tmp_path / "missing")
    assert processes.wait_lock(tmp_path / "l", 0) is not None


@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "fifo"])
def test_a_lock_file_that_is_no_plain_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "l"
    (tmp_path / "target").write_bytes(b"")
    {
        "link": lambda: path.symlink_to("target"),
        "dangling link": lambda: path.symlink_to("none"),
        "folder": path.mkdir,
        "fifo": lambda: os.mkfifo(path),
    }[kind]()
    with pytest.raises(UnsafePath):
        processes.lock(path)
    assert not (tmp_path / "none").exists()


def test_wait_lock_gets_it_when_the_holder_is_killed_and_gives_up_in_time(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from jobs.contract.disk import processes as process\n"
        "process.lock(Path(sys.argv[1])); print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "l")], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        start = time.monotonic()
        assert processes.wait_lock(tmp_path / "l", 0.2) is None
        assert 0.2 <= time.monotonic() - start < 2
        child.kill()
        assert processes.wait_lock(tmp_path / "l", 5) is not None


def test_states_and_start_times_tell_processes_apart() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        wait_until(lambda: processes.process_state(child.pid) == "S")
        assert processes.start_ticks(child.pid) >= processes.start_ticks(os.getpid())
        child.send_signal(signal.SIGSTOP)
        wait_until(lambda: processes.process_state(child.pid) == "T")
        assert processes.describe(child.pid) == "STOPPED"
        child.kill()
        wait_until(lambda: processes.process_state(child.pid) == "Z")
    assert processes.process_state(child.pid) is None
    assert processes.start_ticks(child.pid) is None
    assert processes.describe(child.pid) == "gone"


CHILD = (
    "import os; from jobs.contract.disk import processes as process; process.die_with_parent(os.getppid()); "
    "os.execvp('sleep', ['sleep', '60'])"
)
PARENT = (
    f"import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', {CHILD!r}]); print(p.pid, "
    "flush=True); time.sleep(60)"
)


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
@pytest.mark.parametrize("stopped", [False, True])
def test_a_child_dies_with_its_killed_parent_even_after_exec_and_when_stopped(stopped: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        wait_until(lambda: _cmdline(child).startswith(b"sleep\0"))
        if stopped:
            os.kill(child, signal.SIGSTOP)
        parent.kill()
    wait_until(lambda: processes.process_state(child) in (None, "Z"), 2)


def test_a_child_whose_parent_has_gone_before_ends_at_once() -> None:
    code = (
        "from jobs.contract.disk import processes as process; process.die_with_parent(1234567); print('still "
        "here')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")


def _cmdline(pid: int) -> bytes:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read()
