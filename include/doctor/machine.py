"""Memory, disk, clock, ports."""

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
_PYTHON_MIB = 300  # the driver's Python side and the JVM's own memory beside its heap (measured: 250)
_SIZES_S = 1.5  # for adding up what a home holds; after that the sum so far is said
_LEAST_INODES = 10_000  # a small batch makes some tens of files
_AHEAD_S = 60.0  # clocks of one machine that differ by more were set back
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)  # the DAGs' start date: before it Airflow runs none


def memory(available_bytes: int) -> Iterator[Finding]:
    """Whether the largest driver of the registry fits into what is free now."""
    needed = (
        max((s.limits.driver_memory_mib for s in streams.collect()[0].values()), default=1024) + _PYTHON_MIB
    )
    have = available_bytes // MIB
    if have < needed:
        yield wrong(
            "memory",
            f"{have} MiB available, a driver takes {needed}",
            "close other programs, or lower driver_memory_mib in the stream's Limits",
        )
    else:
        yield ok("memory", f"{have} MiB available, a driver takes {needed}")


def available_bytes() -> int:
    return int(psutil.virtual_memory().available)


def disk(settings: Settings, least_bytes: int = GIB) -> Iterator[Finding]:
    """Free space and names left, where the home and the cache lie. Too little: where the home's space goes."""
    for name, folder in (("disk", settings.home), ("disk of the cache", settings.cache)):
        place = _existing(folder)
        free = shutil.disk_usage(place).free
        if free < least_bytes:
            yield wrong(
                name,
                f"{free // MIB} MiB free, under {least_bytes // MIB} [{place}]; {_biggest(settings.home)}",
                "free space there",
            )
        elif 0 < (left := _names_left(place)) < _LEAST_INODES:
            yield wrong(
                name, f"{left} more files fit, whatever their size [{place}]", "remove many small files there"
            )
        else:
            yield ok(name, f"{free / GIB:.1f} GiB free [{place}]")


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.is_dir())


def _names_left(place: Path) -> int:
    """0 where the file system has no such limit."""
    found = os.statvfs(place)
    return found.f_favail if found.f_files else 0


def _biggest(home: Path) -> str:
    """The home's largest parts in words."""
    parts = [*_folders(home / "data"), *(path for path in _folders(home) if path.name != "data")]
    deadline = time.monotonic() + _SIZES_S
    sizes = sorted(((size_bytes(part, deadline), part.relative_to(home)) for part in parts), reverse=True)[:3]
    return (
        "most of the home is in " + ", ".join(f"{part} ({size // MIB} MiB)" for size, part in sizes)
        if sizes
        else "the home holds nothing yet"
    )


def _folders(path: Path) -> list[Path]:
    return (
        sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.is_symlink())
        if path.is_dir()
        else []
    )


def size_bytes(folder: Path, deadline: float) -> int:
    """Bytes on disk below `folder`, links not followed; as far as it came by `deadline` (monotonic seconds)."""
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
    """Times are UTC throughout; a clock that was set back would sort new runs before old ones, and Airflow would wait."""
    ahead = [
        (name, started)
        for name in streams.collect()[0]
        if (started := _newest_start(settings, name)) and (started - now).total_seconds() > _AHEAD_S
    ]
    zone = time.strftime("%Z")
    if now < _BEGIN:
        yield wrong(
            "clock",
            f"it says {now:%Y-%m-%d}, and the DAGs begin on {_BEGIN:%Y-%m-%d}",
            "set the system's clock (timedatectl set-ntp true)",
        )
    elif ahead:
        name, started = ahead[0]
        yield wrong(
            "clock",
            f"it says {now:%Y-%m-%d %H:%M:%S}Z, the newest run of {name} began at {started:%Y-%m-%d %H:%M:%S}Z",
            "set the system's clock (timedatectl set-ntp true)",
        )
    else:
        yield ok(
            "clock",
            f"{now:%Y-%m-%d %H:%M:%S} UTC"
            + ("" if zone == "UTC" else f"; schedules, run ids and logs are in UTC, not {zone}"),
        )


def _newest_start(settings: Settings, stream: str) -> datetime | None:
    try:
        path = next(report.newest(settings.layout.runs(stream)), None)
        found = report.read(path) if path else None
        return datetime.fromisoformat(found.started) if found else None
    except (CaudalError, ValueError):
        return None  # the stream's own check says it


def network_ports(settings: Settings) -> Iterator[Finding]:
    """Each port of the home: ours, or free to take."""
    running = {
        port
        for record in records.read_records(settings.home).values()
        if record.alive
        for port in record.ports
    }
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
            yield ok("port", f"{number} ({name}) is this home's own")
        elif reason and port.configured:
            yield wrong(
                "port",
                f"{number} for {name} cannot be had: {reason}",
                f"stop the other program, or choose another port with {port.variable}",
            )
        elif reason:
            yield note(
                "port",
                f"{number} ({name}) is taken by another program; ./caudal up moves to the next free one ({port.variable} chooses)",
            )
        else:
            yield ok("port", f"{number} ({name}) is free")
