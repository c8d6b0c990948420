"""Identifies processes by pid and start time: a pid alone may be reused.

A home's processes are found in two ways. One is the session that its services started: tasks make process
groups of their own, but stay in the session. The other is the variable MARK, which every child inherits; it
finds processes whose session leader is gone.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from jobs.contract.deadline import attempts, until

# its value: the home's path. Not CAUDAL_HOME, which may be set in a user's shell: `down` must not kill that
MARK = "CAUDAL_SERVICE_OF"
_PROC = Path("/proc")
_POLL_S = 0.05


@dataclass(frozen=True)
class Identity:
    """A process that led its own session. `started`: boot and start time, which no two processes share."""

    pid: int
    started: str


@cache
def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux
        return str(int(psutil.boot_time()))


def _started_linux(pid: int) -> str:
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()  # the command name before it may contain anything
    return "" if fields[0] in "ZX" else f"{_boot()}:{fields[19]}"


def _started_elsewhere(pid: int) -> str:
    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else f"{_boot()}:{process.create_time()}"
    except psutil.Error:
        return ""


def started(pid: int) -> str:
    """Boot and start time of a living process; empty if it is gone or a zombie."""
    return _started_linux(pid) if sys.platform == "linux" else _started_elsewhere(pid)


def identify(pid: int) -> Identity:
    return Identity(pid, started(pid))


def alive(identity: Identity) -> bool:
    return bool(identity.started) and started(identity.pid) == identity.started


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def _same_boot(identity: Identity) -> bool:
    return identity.started.startswith(f"{_boot()}:")


def _is_own_session(leader: Identity) -> bool:
    """False if another process has the leader's pid by now: a session's number becomes free only when all of
    the session is gone."""
    return _same_boot(leader) and (started(leader.pid) in ("", leader.started))


def members(leaders: Iterable[Identity]) -> set[int]:
    """Living pids in the sessions that `leaders` started, even if the leader itself is dead."""
    sessions = {leader.pid for leader in leaders if _is_own_session(leader)}
    return {pid for pid in psutil.pids() if _session(pid) in sessions and started(pid)}


def _environment(pid: int) -> bytes:
    if sys.platform != "linux":
        return "\0".join(f"{k}={v}" for k, v in psutil.Process(pid).environ().items()).encode(
            errors="surrogateescape"
        )
    return (_PROC / str(pid) / "environ").read_bytes()


def _carries(pid: int, entry: bytes) -> bool:
    try:
        return entry in _environment(pid).split(b"\0") and bool(started(pid))
    except (OSError, psutil.Error):
        return False


def mark(home: Path) -> str:
    return f"{MARK}={home.resolve()}"


def marked(home: Path) -> set[int]:
    """Living pids that inherited MARK=<home>, except this process and its ancestors."""
    entry = mark(home).encode(errors="surrogateescape")
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return {pid for pid in psutil.pids() if pid not in spared and _carries(pid, entry)}


def send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def kill_session(leader: Identity, seconds: float = 5.0) -> None:
    """Sends SIGKILL to what is left of one session."""
    for _ in attempts(seconds, _POLL_S):
        if not (left := members([leader])):
            break
        send(left, signal.SIGKILL)


def wait_gone(leaders: Iterable[Identity], seconds: float) -> bool:
    """True as soon as no member of the sessions is left; False after `seconds`."""
    leaders = tuple(leaders)
    return until(lambda: not members(leaders), seconds, _POLL_S)


def kill_all(leaders: Iterable[Identity], home: Path, seconds: float = 5.0) -> int:
    """Sends SIGKILL to every process of these sessions and of this home until none is left. Returns how many
    there were.

    It repeats, because a process may fork between the listing and the signal.
    """
    leaders, killed = tuple(leaders), set[int]()
    for _ in attempts(seconds, _POLL_S):
        if not (left := members(leaders) | marked(home)):
            break
        killed |= left
        send(left, signal.SIGKILL)
    return len(killed)
