"""Checks the machine: memory, disk, clock, ports."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import psutil

from include import streams
from include.doctor.findings import Finding, note, ok, wrong
from include.services import ports, records
from include.settings import Port, Settings
from jobs.contract.errors import CaudalError
from jobs.contract.run import report

MIB, GIB = 2**20, 2**30
_PYTHON_MIB = 300  # the driver's Python side, and the JVM's memory outside its heap (measured: 250)
_SIZES_S = 1.5  # for adding up what a home holds; then the sum so far is reported
_LEAST_INODES = 10_000  # a small batch makes some tens of files
_AHEAD_S = 60.0  # a run that began further ahead shows that the clock was set back
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)  # the DAGs' start date: Airflow runs none before it


def memory(available_bytes: int) -> Iterator[Finding]:
    """Whether the memory that is free now is enough for the largest driver of the registry."""
    heaps = (stream.limits.driver_memory_mib for stream in streams.collect()[0].values())
    needed, have = max(heaps, default=1024) + _PYTHON_MIB, available_bytes // MIB
    what = f"{have} MiB available, a driver takes {needed}"
    if have < needed:
        fix = "close other programs, or lower driver_memory_mib in the stream's Limits"
        yield wrong("memory", what, fix)
    else:
        yield ok("memory", what)


def available_bytes() -> int:
    return int(psutil.virtual_memory().available)


def disk(settings: Settings, least_bytes: int = GIB) -> Iterator[Finding]:
    """Free space and free inodes on the disks of the home and the cache. If there is too little, says what
    takes up the home's space."""
    for name, folder in (("disk", settings.home), ("disk of the cache", settings.cache)):
        place = _existing(folder)
        free = shutil.disk_usage(place).free
        if free < least_bytes:
            what = f"{free // MIB} MiB free, under {least_bytes // MIB} [{place}]"
            yield wrong(name, f"{what}; {_biggest(settings.home)}", "free space there")
        elif 0 < (left := _names_left(place)) < _LEAST_INODES:
            what = f"only {left} more files fit, whatever their size [{place}]"
            yield wrong(name, what, "remove many small files there")
        else:
            yield ok(name, f"{free / GIB:.1f} GiB free [{place}]")


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.is_dir())


def _names_left(place: Path) -> int:
    """Free inodes; 0 where the file system has no such limit."""
    disk = os.statvfs(place)
    return disk.f_favail if disk.f_files else 0


def _biggest(home: Path) -> str:
    """The largest parts of the home, in words."""
    parts = [*_folders(home / "data"), *(path for path in _folders(home) if path.name != "data")]
    deadline = time.monotonic() + _SIZES_S
    sizes = sorted(((size_bytes(part, deadline), part.relative_to(home)) for part in parts), reverse=True)
    largest = ", ".join(f"{part} ({size // MIB} MiB)" for size, part in sizes[:3])
    return f"most of the home is in {largest}" if largest else "the home holds nothing yet"


def _folders(path: Path) -> list[Path]:
    entries = path.iterdir() if path.is_dir() else ()
    return sorted(entry for entry in entries if entry.is_dir() and not entry.is_symlink())


def size_bytes(folder: Path, deadline: float) -> int:
    """Bytes on disk below `folder`, without following links; stops at `deadline` (monotonic seconds)."""
    total = 0
    for root, _, names in os.walk(folder):
        if time.monotonic() > deadline:
            break
        total += sum(_on_disk(Path(root, name)) for name in names)
    return total


def _on_disk(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0  # gone meanwhile


def clock(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Whether the clock was set back: new runs would then sort before old ones, and Airflow would wait. All
    times are UTC."""
    starts = ((name, _newest_start(settings, name)) for name in streams.collect()[0])
    ahead = [(name, at) for name, at in starts if at and (at - now).total_seconds() > _AHEAD_S]
    fix, zone = "set the system's clock (timedatectl set-ntp true)", time.strftime("%Z")
    if now < _BEGIN:
        yield wrong("clock", f"it says {now:%Y-%m-%d}, and the DAGs begin on {_BEGIN:%Y-%m-%d}", fix)
    elif ahead:
        name, started = ahead[0]
        newest = f"the newest run of {name} began at {started:%Y-%m-%d %H:%M:%S}Z"
        yield wrong("clock", f"it says {now:%Y-%m-%d %H:%M:%S}Z, {newest}", fix)
    else:
        other = "" if zone == "UTC" else f"; schedules, run ids and logs are in UTC, not {zone}"
        yield ok("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC{other}")


def _newest_start(settings: Settings, stream: str) -> datetime | None:
    try:
        path = next(report.newest(settings.layout.runs(stream)), None)
        newest = report.read(path) if path else None
        return datetime.fromisoformat(newest.started) if newest else None
    except (CaudalError, ValueError):
        return None  # the stream's own check reports it


def network_ports(settings: Settings) -> Iterator[Finding]:
    """Whether each port is used by this home or is free."""
    alive = (record for record in records.read_records(settings.home).values() if record.alive)
    running = {port for record in alive for port in record.ports}
    chosen = ports.remembered(settings)
    wanted = {"airflow": settings.airflow_port}
    if settings.embedded_kafka:
        wanted |= {"kafka": settings.kafka_port, "controller": settings.controller_port}
    yield from judge_ports(wanted, vars(chosen) if chosen else {}, running)


def judge_ports(
    wanted: Mapping[str, Port], chosen: Mapping[str, int], running: Iterable[int]
) -> Iterator[Finding]:
    ours = set(running)
    for name, port in sorted(wanted.items()):
        number = port.number if port.configured else chosen.get(name, port.number)
        reason = "" if number in ours else ports.why_not(number)
        if number in ours:
            yield ok("port", f"{number} ({name}) is in use by this home")
        elif reason and port.configured:
            fix = f"stop the other program, or choose another port with {port.variable}"
            yield wrong("port", f"{number} for {name} cannot be used: {reason}", fix)
        elif reason:
            next_ = f"./caudal up takes the next free one, or set {port.variable}"
            yield note("port", f"{number} ({name}) is taken by another program; {next_}")
        else:
            yield ok("port", f"{number} ({name}) is free")
