"""Chooses the ports of this home's servers on 127.0.0.1.

If a default port is busy, the next free one is used and remembered in `<home>/state/ports.json`: `{"kafka":
9092, "controller": 9093, "airflow": 8080}`. If a configured port is busy, that is an error, which names the
variable. Two homes that start at once do not choose the same port: a lock reserves it, and the home's
supervisor keeps that lock as long as it lives.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import sys
import tempfile
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path

from include.services import files
from include.settings import Port, Settings
from jobs.contract.errors import PortTaken, UnsafePath

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    kafka: int
    controller: int
    airflow: int


@dataclass
class Choice:
    """`ports`, one sentence per port that was moved, and the descriptors of the locks that reserve
    the ports."""

    ports: Ports
    moved: list[str] = field(default_factory=list)
    locks: list[int] = field(default_factory=list)

    def release(self) -> None:
        for lock in self.locks:
            os.close(lock)
        self.locks.clear()


def _file(settings: Settings) -> Path:
    return settings.layout.state / "ports.json"


def remembered(settings: Settings) -> Ports | None:
    """The ports of the last `up`. None before the first one, and if the file is unreadable: it only saves a
    choice."""
    try:
        value = json.loads(_file(settings).read_text(encoding="utf-8"))
        return Ports(**{name: int(value[name]) for name in ("kafka", "controller", "airflow")})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def why_not(port: int) -> str:
    """Empty if a server can listen on 127.0.0.1:`port`; otherwise the reason."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # an old connection in TIME_WAIT is not a listener
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _reservations() -> Path:
    folder = Path(tempfile.gettempdir()) / f"caudal-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise UnsafePath("the folder of port reservations belongs to somebody else", folder)
    return folder


def reserve(port: int) -> int | None:
    """A descriptor that keeps other homes off `port`; None if another home has it. Where abstract sockets
    exist, it also keeps off other users' homes."""
    return _named(f"caudal-port-{port}") if sys.platform == "linux" else _locked(port)


def _named(name: str) -> int | None:
    """A socket with this abstract name. Only one process on the machine can have it, and it leaves no file
    behind."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as taken:
        try:
            taken.bind(f"\0{name}")
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return None
        return taken.detach()


def _locked(port: int) -> int | None:
    lock = os.open(
        _reservations() / f"{port}.lock", os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _take(choice: Choice, number: int, ours: Collection[int], taken: Collection[int]) -> str:
    """Reserves `number` in `choice`. Returns why not if it cannot. A port on which our own living service
    listens counts as free."""
    if number in taken:
        return "another port of this home"
    if number not in ours and (reason := why_not(number)):
        return reason
    lock = reserve(number)
    if lock is None:
        return "reserved by another home"
    choice.locks.append(lock)
    return ""


def _first_free(
    choice: Choice, name: str, port: Port, old: int | None, ours: Collection[int], taken: Collection[int]
) -> int:
    candidates = ([old] if old else []) + list(range(port.number, min(port.number + 200, 65536)))
    for number in candidates:
        if not _take(choice, number, ours, taken):
            if number != port.number:
                choice.moved.append(
                    f"{name}: port {port.number} is busy, {number} is used ({port.variable} sets another)"
                )
            return number
    raise PortTaken(f"no free port for {name} from {port.number} on", port.variable)


def _configured(choice: Choice, name: str, port: Port, ours: Collection[int], taken: Collection[int]) -> int:
    if reason := _take(choice, port.number, ours, taken):
        raise PortTaken(f"port {port.number} for {name} is not free: {reason}", port.variable)
    return port.number


def choose(settings: Settings, ours: Collection[int] = ()) -> Choice:
    """Ports for this home, reserved. Those of the embedded broker are 0 if another broker is used.

    `ours`: ports on which living services of this home listen already. Raises PortTaken for a busy configured
    port. The caller releases the locks, or hands them to the supervisor.
    """
    old = remembered(settings)
    wanted = {"airflow": settings.airflow_port}
    if settings.embedded_kafka:
        wanted |= {"kafka": settings.kafka_port, "controller": settings.controller_port}
    choice, numbers = Choice(Ports(0, 0, 0)), dict[str, int]()
    fixed_first = sorted(
        wanted, key=lambda name: not wanted[name].configured
    )  # a default port never takes a configured number
    try:
        for name in fixed_first:
            port, taken = wanted[name], numbers.values()
            if port.configured:
                numbers[name] = _configured(choice, name, port, ours, taken)
            else:
                numbers[name] = _first_free(choice, name, port, getattr(old, name, None), ours, taken)
    except BaseException:
        choice.release()
        raise
    choice.ports = Ports(numbers.get("kafka", 0), numbers.get("controller", 0), numbers["airflow"])
    return choice


def remember(settings: Settings, ports: Ports) -> None:
    files.write(_file(settings), json.dumps(asdict(ports)) + "\n")
