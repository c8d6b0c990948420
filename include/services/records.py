"""The files about a home's services, in `<home>/state/services/`.

`plan.json`: what `up` wants (Plan). `<name>.json`: one started service (StartedService). `supervisor.lock`:
held by the supervisor while it lives.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from include.services import files, processes
from include.services.processes import Identity
from jobs.contract.errors import Refused

SUPERVISOR = "supervisor"


@dataclass(frozen=True)
class Service:
    """One program to keep running. `ports`: where it listens on 127.0.0.1."""

    name: str
    argv: tuple[str, ...]
    ports: tuple[int, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The services that a home wants, and the variables they get in addition to the caller's own. None of
    these is a secret."""

    services: tuple[Service, ...]
    env: Mapping[str, str]


@dataclass(frozen=True)
class StartedService:
    """`since`: seconds since the epoch. `state`: running, waiting (for the next try) or gave-up."""

    name: str
    pid: int
    started: str
    since: float
    state: str = "running"
    deaths: int = 0
    last_exit: str = ""
    ports: tuple[int, ...] = ()

    @property
    def identity(self) -> Identity:
        return Identity(self.pid, self.started)

    @property
    def alive(self) -> bool:
        return processes.alive(self.identity)

    @property
    def shown(self) -> str:
        """The state as it is now: `dead` if the file says running and the process is gone."""
        return "dead" if self.state == "running" and not self.alive else self.state


def log_of(home: Path, name: str) -> Path:
    return home / "logs" / f"{name}.log"


def folder(home: Path) -> Path:
    return home / "state" / "services"


def write_record(home: Path, record: StartedService) -> None:
    files.write(folder(home) / f"{record.name}.json", json.dumps(asdict(record), indent=1) + "\n", 0o600)


def _parse(path: Path) -> StartedService | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return StartedService(**{**value, "ports": tuple(value["ports"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None  # not ours, or cut off by a full disk: its process is still found by MARK


def read_records(home: Path) -> dict[str, StartedService]:
    """Every service that was recorded and has not been taken down since, by name."""
    services = (_parse(path) for path in sorted(folder(home).glob("*.json")) if path.name != "plan.json")
    return {record.name: record for record in services if record}


def forget(home: Path) -> None:
    for path in folder(home).glob("*.json"):
        path.unlink()


def write_plan(home: Path, plan: Plan) -> None:
    files.write(folder(home) / "plan.json", json.dumps(asdict(plan), indent=1) + "\n", 0o600)


def read_plan(home: Path) -> Plan:
    """The plan of the last `up`; an empty one if there is none."""
    try:
        value = json.loads((folder(home) / "plan.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Plan((), {})
    rows = ({**row, "argv": tuple(row["argv"]), "ports": tuple(row["ports"])} for row in value["services"])
    return Plan(tuple(Service(**row) for row in rows), value["env"])


def lock(path: Path, *, wait: bool = False) -> int | None:
    """A descriptor that holds an exclusive lock on `path`; None if another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def changing(home: Path) -> Iterator[None]:
    """Allows one `up` or `down` at a time in a home. Raises Refused while another is under way."""
    path = folder(home) / "change.lock"
    descriptor = lock(path)
    if descriptor is None:
        raise Refused("another up or down of this home is under way", path, cli="wait for it, then try again")
    try:
        yield
    finally:
        os.close(descriptor)


def supervisor(home: Path) -> StartedService | None:
    """The living supervisor, or None."""
    record = read_records(home).get(SUPERVISOR)
    return record if record and record.alive else None


def after_death(record: StartedService, last_exit: str, state: str) -> StartedService:
    return replace(record, deaths=record.deaths + 1, last_exit=last_exit, state=state)
