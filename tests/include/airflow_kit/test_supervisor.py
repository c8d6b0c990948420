"""A task and its supervisor: neither lives on without the other. Real processes, real signals."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]

CHILD = """
import os, sys, time
from include.airflow_kit.operator import _die_with_supervisor
_die_with_supervisor()
print("tied", flush=True)
time.sleep(60)
"""
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdin=0)
print(child.pid, flush=True)
time.sleep(60)
"""


def process(code: str, **words: Any) -> subprocess.Popen[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **words,
    )


def test_a_task_dies_with_its_supervisor_at_once() -> None:
    with process(PARENT) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert parent.stdout.readline() == "tied\n"
        parent.kill()
    deadline_s = time.monotonic() + 5
    while Path(f"/proc/{child}/stat").exists() and ") Z " not in Path(f"/proc/{child}/stat").read_text():
        assert time.monotonic() < deadline_s, "the task lives on"
        time.sleep(0.01)


def test_a_task_whose_supervisor_hung_up_before_starts_nothing() -> None:
    ours, theirs = socket.socketpair()
    with process(CHILD, stdin=theirs) as child:
        theirs.close()
        ours.close()
        output = child.communicate(timeout=30)[0]
    assert child.returncode == 1
    assert "run-failed: the supervisor of this task is gone" in output
    assert "tied" not in output
