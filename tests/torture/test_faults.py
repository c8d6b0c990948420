"""Faults other than a kill, for real: a full disk, a read-only disk, several operators at once, and a driver
that is stopped but not dead."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from include.settings import ROOT
from include.state import lease
from include.torture.runs import STREAM, kill, launcher, python_driver, verb, wait_for
from include.torture.world import World
from tests.matrix import long

pytestmark = [pytest.mark.spark, pytest.mark.slow]
needs_mounts = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="a disk of its own needs root and unshare"
)
ARCHIVE, ROLLOVER = verb("archive", STREAM, "--apply"), verb("generation", "rollover", STREAM, "--apply")

# argv: folder, place under the home, "full", "filled meanwhile" or "read-only". The mounts are this process's
# own.
FAULT = """
import subprocess, sys
from pathlib import Path
from random import Random
from include.torture.runs import STREAM, launcher, verb, wait_for
from include.torture.world import World

def fill(target):
    with (target / ".filler").open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 512):
                pass
        except OSError:
            pass

folder, place, fault = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
world = World(folder, Random(1))
world.deliver(bad=True)
code, out = world.do(launcher())
assert code == 0, out
world.deliver(bad=True)
target = world.home.settings.home / place
target.mkdir(parents=True, exist_ok=True)
subprocess.run(["mount", "--bind", target, target], check=True)
if fault != "read-only":
    copy = folder / "copy"
    subprocess.run(["cp", "-a", target, copy], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", target], check=True)
    subprocess.run(["cp", "-a", f"{copy}/.", target], check=True)
    if fault == "full":
        fill(target)
else:
    subprocess.run(["mount", "-o", "remount,ro,bind", target], check=True)
command = verb("archive", STREAM, "--apply") if place == "state/journal" else launcher()
if fault == "filled meanwhile":
    offsets = len(list(world.layout.checkpoint(STREAM, 1).glob("offsets/[0-9]*")))
    process = world.start(command)
    folder = world.layout.checkpoint(STREAM, 1)
    wait_for(lambda: len(list(folder.glob("offsets/[0-9]*"))) > offsets, "a batch is planned", of=process)
    fill(target)
    out = process.communicate(timeout=120)[0]
    code = process.returncode
else:
    code, out = world.do(command)
print(code, out.strip().splitlines()[-1])
assert code in (65, 69, 70, 78) and "Traceback" not in out, (code, out)
assert not world.home.rows() - world.rows, "rows too many are to be seen"
if fault != "read-only":
    (target / ".filler").unlink()
else:
    subprocess.run(["mount", "-o", "remount,rw,bind", target], check=True)
code, out = world.do(launcher())
assert code == 0, out
assert world.faults() == [], world.faults()
assert world.quiet()
"""


@needs_mounts
@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("data", "full"),  # staging and output
        *map(long, (("runs", "filled meanwhile"), ("runs", "full"), ("runs", "read-only"))),
        *map(long, (("state/journal", "full"), ("data", "read-only"), ("data/checkpoints", "full"))),
    ],
)
def test_a_full_or_read_only_disk_is_one_error_and_the_next_run_goes_on(
    tmp_path: Path, place: str, fault: str
) -> None:
    call = 'mount --make-rprivate / && mount --bind "$1" "$1" || exit 77; exec "$2" -c "$3" "$1" "$4" "$5"'
    words = ["unshare", "-m", "sh", "-c", call, "sh", str(tmp_path), sys.executable, FAULT, place, fault]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode == 77 or done.stderr.startswith("unshare: "):
        pytest.skip("no mounts here")
    assert done.returncode == 0, done.stdout + done.stderr


def under_way(world: World) -> subprocess.Popen[str]:
    """A run that has planned its batch and holds the lease."""
    process = world.start(launcher())
    offsets = world.layout.checkpoint(STREAM, 1) / "offsets"
    wait_for(
        lambda: offsets.is_dir() and any(p.name.isdigit() for p in offsets.iterdir()),
        "a batch is planned",
        of=process,
    )
    return process


def test_whoever_comes_during_a_run_is_refused_with_75_and_nothing_is_lost(tmp_path: Path) -> None:
    world = World(tmp_path, Random(2))
    world.deliver(bad=True)
    first = under_way(world)
    os.kill(first.pid, signal.SIGSTOP)  # so that the others surely come in between
    others = [world.start(words) for words in (launcher(), ARCHIVE)]
    codes = [(process.communicate(timeout=60), process.returncode)[1] for process in others]
    os.kill(first.pid, signal.SIGCONT)
    out, _ = first.communicate(timeout=120)
    assert (codes, first.returncode) == ([75, 75], 0), out
    assert world.faults() == []


@pytest.mark.torture
def test_archive_and_rollover_at_the_same_moment_end_as_one_after_the_other_or_75(tmp_path: Path) -> None:
    world = World(tmp_path, Random(3))
    world.deliver()
    assert world.do(launcher())[0] == 0
    for _ in range(3):
        both = [world.start(words) for words in (ARCHIVE, ROLLOVER, ARCHIVE)]
        ended = [(process.communicate(timeout=60)[0], process.returncode) for process in both]
        assert {code for _, code in ended} <= {0, 64, 75}, (
            ended
        )  # 64: the plan is no longer what it was, or nothing was read since
    world.deliver()
    assert world.do(launcher())[0] == 0
    assert world.faults() == []


@pytest.mark.torture
@pytest.mark.parametrize("end", [signal.SIGCONT, signal.SIGKILL])
def test_a_stopped_python_driver_keeps_the_next_run_out_until_it_goes_on_or_dies(
    tmp_path: Path, end: signal.Signals
) -> None:
    world = World(tmp_path, Random(4))
    world.deliver(bad=True)
    process = under_way(world)
    driver = python_driver(process.pid)
    assert driver is not None
    os.kill(driver.pid, signal.SIGSTOP)
    code, out = world.do(launcher())
    assert (code, "lease-held" in out) == (75, True)
    time.sleep(1)
    os.kill(driver.pid, end)
    process.communicate(timeout=120)
    assert (process.returncode == 0) == (end == signal.SIGCONT)
    assert world.quiet()
    assert world.do(launcher())[0] == 0
    assert world.faults() == []


def test_a_stopped_python_driver_dies_with_its_jvm_and_publishes_nothing_later(tmp_path: Path) -> None:
    """The zombie writer: while it is stopped it ignores every signal but SIGKILL. If it lived, it would go on
    writing during the next run."""
    world = World(tmp_path, Random(5))
    world.deliver()
    process = under_way(world)
    driver = python_driver(process.pid)
    assert driver is not None
    os.kill(driver.pid, signal.SIGSTOP)
    kill(process.pid)
    process.communicate(timeout=60)
    wait_for(lambda: not driver.is_running() or driver.status() == "zombie", "the stopped driver is dead", 5)
    assert lease.holder(world.layout, STREAM) is None
    assert world.do(launcher())[0] == 0
    assert world.faults() == []
