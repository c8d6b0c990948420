"""The lease: at most one run per stream. An exclusive lock passes through exec into the driver JVM.

There are two locks, always taken in this order:
- `<stream>.lease` is held by the launcher, and then by the JVM that it becomes.
- `<stream>.publish` is held by Spark's Python driver from its start to its death, because it may outlive a
  killed JVM by 0.3 s.

Runs and housekeeping take both before they touch anything.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jobs.contract.disk import processes, storage
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import LeaseHeld

PUBLISH_WAIT_S = 5.0  # a Python driver ends 0.3 s after its JVM; if it takes longer, something is wrong
_PROBE_S = 0.05  # `holder` takes a shared lock for an instant; two polls are enough to see it released
_MAX_OWNER_BYTES = 4096  # far more than an owner's text needs: a damaged file is not read whole


_OWNER_TYPES = {"pid": int, "run_id": str, "started": str, "run_dir": str}  # of the text in the lock file


@dataclass(frozen=True)
class Owner:
    """Who holds a lease. `started`: UTC, ISO 8601; `run_dir`: the run's folder."""

    pid: int
    run_id: str
    started: str
    run_dir: str


@dataclass
class Lease:
    """Both locks of a stream. Until `hand_over`, exec closes their descriptors, so no child inherits them."""

    stream: str
    owner: Owner
    _lease: int = field(repr=False)
    _publish: int | None = field(repr=False)

    def hand_over(self) -> None:
        """Call it right before exec. The next program keeps the lease; the publish lock is freed, so that the
        Python driver can take it."""
        processes.make_inheritable(self._lease)
        self._free_publish()

    def release(self) -> None:
        """Frees both locks; the second call does nothing."""
        self._free_publish()
        if self._lease >= 0:
            os.ftruncate(self._lease, 0)
            os.close(self._lease)
            self._lease = -1

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _free_publish(self) -> None:
        if self._publish is not None:
            os.close(self._publish)
            self._publish = None


def acquire(layout: Layout, stream: str, owner: Owner, publish_wait_s: float = PUBLISH_WAIT_S) -> Lease:
    """Takes both locks.

    Raises LeaseHeld: at once when a run holds the lease; after `publish_wait_s` seconds when the Python
    driver of an earlier run is still alive.
    """
    path = storage.confine(layout.home, layout.lease(stream))
    with storage.disk_errors(path):
        storage.make_dirs(path.parent)
        lease = processes.wait_lock(path, _PROBE_S)
        if lease is None:
            raise LeaseHeld(_held(stream, path), path)
        try:
            publish = _publish(layout, stream, publish_wait_s)
            _write_owner(lease, owner)
        except BaseException:
            os.close(lease)
            raise
    return Lease(stream, owner, lease, publish)


def holder(layout: Layout, stream: str) -> Owner | None:
    """Who holds the lease now; None if nobody does. It changes nothing.

    If the holder has not written its text yet, the pid is the lock's, or 0 if that is unknown.
    """
    path = layout.lease(stream)
    if not processes.is_locked(path):
        return None
    written = _read_owner(path)
    if written is None or not _is_alive(written):
        return Owner(processes.lock_pid(path) or 0, "", "", "")
    return _owner(written)


def left_by(layout: Layout, stream: str) -> Owner | None:
    """Who died while holding the lease, from the text in the lock file.

    None if the last holder released it, or if somebody holds it now.
    """
    path = layout.lease(stream)
    written = None if processes.is_locked(path) else _read_owner(path)
    return _owner(written) if written else None


def _owner(written: dict[str, Any]) -> Owner:
    return Owner(**{key: written[key] for key in _OWNER_TYPES})


def _publish(layout: Layout, stream: str, wait_s: float) -> int:
    path = storage.confine(layout.home, layout.publish_lock(stream))
    fd = processes.wait_lock(path, wait_s)
    if fd is None:
        pid = processes.lock_pid(path)
        who = f"pid {pid}, {processes.describe(pid)}" if pid else "pid unknown"
        driver = f"the Python driver of an earlier run of {stream} ({who})"
        raise LeaseHeld(f"{driver} still holds the publish lock after {wait_s:g} s", path)
    return fd


def _held(stream: str, path: Path) -> str:
    """One line about the holder: pid, the state of its process, start, run folder."""
    written = _read_owner(path)
    if written is not None and _is_alive(written):
        pid, started, run_dir = int(written["pid"]), written["started"], written["run_dir"]
        holder = f"{stream} is held by pid {pid} ({processes.describe(pid)})"
        return f"{holder}, started {started}, run folder {run_dir}"
    if pid := processes.lock_pid(path) or 0:
        return f"{stream} is held by pid {pid} ({processes.describe(pid)}), which has not named its run"
    return f"{stream} is held by pid unknown (state unknown), which has not named its run"


def _write_owner(fd: int, owner: Owner) -> None:
    """Writes the text in the lock file. Nobody needs it after a power cut, so it is not flushed."""
    text = json.dumps({**asdict(owner), "ticks": processes.start_ticks(owner.pid)}) + "\n"
    os.ftruncate(fd, 0)
    os.pwrite(fd, text.encode(), 0)


def _read_owner(path: Path) -> dict[str, Any] | None:
    """The text of the lock file; None if it is missing or not whole."""
    try:
        with path.open("rb") as file:
            raw = json.loads(file.read(_MAX_OWNER_BYTES))
    except (OSError, ValueError):
        return None
    whole = isinstance(raw, dict) and all(
        isinstance(raw.get(key), kind) for key, kind in _OWNER_TYPES.items()
    )
    return raw if whole else None


def _is_alive(written: dict[str, Any]) -> bool:
    """Whether the process that wrote the text still runs, and is not another one with the same pid.

    Without /proc, the text is believed.
    """
    return written.get("ticks") is None or processes.start_ticks(written["pid"]) == written["ticks"]
