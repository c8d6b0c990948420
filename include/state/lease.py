"""One run per stream, ever: an exclusive lock that lives through exec into the driver JVM and dies with it.

Two locks, taken in this order: `<stream>.lease`, kept by the launcher and by the JVM it becomes; `<stream>.publish`, which the Spark
Python driver holds from start to death (it may outlive a killed JVM by 0.2 s). A run or housekeeping has both before it touches anything.
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

PUBLISH_WAIT_S = 5.0  # a Python driver ends 0.2 s after its JVM; more than this and something is wrong
_PROBE_S = 0.05  # `holder` takes a shared lock for an instant: two polls are enough to see it gone
_MAX_OWNER_BYTES = 4096


@dataclass(frozen=True)
class Owner:
    """Who holds a lease. `started`: UTC, ISO 8601; `run_dir`: the run's folder."""

    pid: int
    run_id: str
    started: str
    run_dir: str


@dataclass
class Lease:
    """Both locks of a stream. Descriptors are closed on exec, so no child has them, until `hand_over`."""

    stream: str
    owner: Owner
    _lease: int = field(repr=False)
    _publish: int | None = field(repr=False)

    def hand_over(self) -> None:
        """Call right before exec: the lease goes into the next program, the publish lock is freed for the Python driver to take."""
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
    """Takes both locks. Raises LeaseHeld: at once when a run holds the lease, after `publish_wait_s` when an old Python driver still publishes."""
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
    """Who holds the lease now; None when nobody does. Changes nothing. A holder that has not written its name yet has pid 0 or the lock's."""
    path = layout.lease(stream)
    if not processes.is_locked(path):
        return None
    written = _read_owner(path)
    if written is None or not _is_alive(written):
        return Owner(processes.lock_pid(path) or 0, "", "", "")
    return Owner(**{key: written[key] for key in ("pid", "run_id", "started", "run_dir")})


def left_by(layout: Layout, stream: str) -> Owner | None:
    """Whoever died with the lease in hand, by the text that stayed behind; None when the last holder let go of it, or somebody holds it."""
    path = layout.lease(stream)
    written = None if processes.is_locked(path) else _read_owner(path)
    return (
        Owner(**{key: written[key] for key in ("pid", "run_id", "started", "run_dir")}) if written else None
    )


def _publish(layout: Layout, stream: str, wait_s: float) -> int:
    path = storage.confine(layout.home, layout.publish_lock(stream))
    fd = processes.wait_lock(path, wait_s)
    if fd is None:
        pid = processes.lock_pid(path)
        who = f"pid {pid}, {processes.describe(pid)}" if pid else "pid unknown"
        raise LeaseHeld(
            f"the Python driver of an earlier run of {stream} ({who}) still holds the publish lock after {wait_s:g} s",
            path,
        )
    return fd


def _held(stream: str, path: Path) -> str:
    """One line on the holder: pid, its state in words, start, run folder."""
    written = _read_owner(path)
    if written is not None and _is_alive(written):
        pid = int(written["pid"])
        return f"{stream} is held by pid {pid} ({processes.describe(pid)}), started {written['started']}, run folder {written['run_dir']}"
    pid = processes.lock_pid(path) or 0
    return f"{stream} is held by pid {pid or 'unknown'} ({processes.describe(pid) if pid else 'state unknown'}), which has not named its run"


def _write_owner(fd: int, owner: Owner) -> None:
    """The text in the lock file; it holds nothing that is needed after a power cut, so it is not flushed."""
    text = json.dumps({**asdict(owner), "ticks": processes.start_ticks(owner.pid)}) + "\n"
    os.ftruncate(fd, 0)
    os.pwrite(fd, text.encode(), 0)


def _read_owner(path: Path) -> dict[str, Any] | None:
    """The text of the lock file; None when it is not (yet) whole."""
    try:
        with path.open("rb") as file:
            raw = json.loads(file.read(_MAX_OWNER_BYTES))
    except (OSError, ValueError):
        return None
    keys = {"pid": int, "run_id": str, "started": str, "run_dir": str}
    whole = isinstance(raw, dict) and all(isinstance(raw.get(key), kind) for key, kind in keys.items())
    return raw if whole else None


def _is_alive(written: dict[str, Any]) -> bool:
    """The process that wrote the text, and not another one with its recycled pid. Without /proc the text is believed."""
    return written.get("ticks") is None or processes.start_ticks(written["pid"]) == written["ticks"]
