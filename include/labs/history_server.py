"""Spark's History Server over the event logs that labs leave: their pages after they have ended. In the
foreground, on 127.0.0.1."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from include import environment
from include.services import files, ports
from include.settings import Settings
from include.setup import class_data, java
from jobs.contract.deadline import attempts
from jobs.contract.disk import processes, storage
from jobs.contract.errors import PortTaken, Refused, ServiceError

PORT = 18080
_CLASS = "org.apache.spark.deploy.history.HistoryServer"
_READY_S = 120.0  # 5 s on an idle machine
_POLL_S = 0.2
_END_S = 10.0  # it ends within a second; then it is killed
_MEMORY = "512m"  # enough for the event logs of labs
_KEPT = "30d"  # the server itself removes older event logs
_OPEN = build_opener(ProxyHandler({})).open  # without a proxy: the server is on this machine


@dataclass(frozen=True)
class Application:
    """One run of a lab. `page`: the address of its jobs page, whose tabs lead to the others."""

    id: str
    name: str
    ended: bool
    page: str


@dataclass(frozen=True)
class Serving:
    process: subprocess.Popen[bytes]
    address: str

    def applications(self) -> list[Application]:
        """Newest first. Raises ServiceError."""
        answer = _ask(f"{self.address}/api/v1/applications")
        if answer is None:
            raise ServiceError("the History Server does not answer", self.address, cli="./caudal spark-ui")
        pages = f"{self.address}/history"
        return [
            Application(a["id"], a["name"], bool(a["attempts"][0]["completed"]), f"{pages}/{a['id']}/jobs/")
            for a in answer
        ]


def port(settings: Settings, asked: int = 0) -> int:
    """`asked`, or the one of the last time if it is free, or the first free one from 18080 on; remembered.
    Raises PortTaken."""
    memory = settings.layout.state / "history-port.json"
    if asked:
        if reason := ports.why_not(asked):
            way_out = "another --port, or none for a free one"
            raise PortTaken(f"port {asked} cannot be used: {reason}", "--port", cli=way_out)
        return asked
    with contextlib.suppress(OSError, ValueError, TypeError):
        if not ports.why_not(old := int(json.loads(memory.read_bytes()))):
            return old
    free = next(number for number in range(PORT, 65536) if not ports.why_not(number))
    with storage.disk_errors(memory):
        storage.make_dirs(memory.parent)
        files.write(memory, f"{free}\n")
    return free


@contextlib.contextmanager
def serving(settings: Settings, events: Path, number: int, logging: Path) -> Iterator[Serving]:
    """Runs the server over the folder `events` inside the block, from when it answers.

    Raises Refused when no event log is there, InstallationError, ServiceError when it does not come up.
    """
    if not events.is_dir() or not any(events.iterdir()):
        way_out = "./caudal lab caso2_monitorizacion, then ./caudal spark-ui"
        raise Refused("no lab has left an event log yet", events, cli=way_out)
    log, us = settings.layout.logs / "history.log", os.getpid()
    with storage.disk_errors(log):
        storage.make_dirs(log.parent)
        storage.make_dirs(_place(settings))
        with log.open("ab") as out:
            child = subprocess.Popen(
                [str(class_data.spark_home() / "bin" / "spark-class"), _CLASS],
                env=_environ(settings, events, number, logging, log),
                cwd=settings.home,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=lambda: processes.die_with_parent(us),
            )
    try:
        yield _ready(Serving(child, f"http://{ports.HOST}:{number}"), log)
    finally:
        _end(child)


def _environ(settings: Settings, events: Path, number: int, logging: Path, log: Path) -> dict[str, str]:
    properties = {
        "spark.history.fs.logDirectory": events.as_uri(),
        "spark.history.ui.port": str(number),
        "spark.history.fs.update.interval": "2s",
        "spark.history.fs.cleaner.enabled": "true",
        "spark.history.fs.cleaner.maxAge": _KEPT,
        "log4j2.configurationFile": str(logging),
        "caudal.log": str(log),
    }
    jvm = class_data.quoted(("-XX:+UseSerialGC", *environment.jvm(_place(settings))))
    options = class_data.quoted(f"-D{key}={value}" for key, value in properties.items())
    # it sets SPARK_LOCAL_IP, the only address that the server listens on
    base = class_data.environ(settings, java.find(settings), _place(settings))
    return base | {
        "SPARK_HISTORY_OPTS": options,
        "SPARK_DAEMON_MEMORY": _MEMORY,
        "SPARK_DAEMON_JAVA_OPTS": jvm,
    }


def _place(settings: Settings) -> Path:
    return settings.tmp / "history"


def _ready(server: Serving, log: Path) -> Serving:
    for _ in attempts(_READY_S, _POLL_S):
        if server.process.poll() is not None:
            raise ServiceError(
                f"the History Server ended with {server.process.returncode}", log, cli="read the named log"
            )
        if _ask(
            f"{server.address}/api/v1/applications"
        ):  # an empty list means that it has not read the logs yet
            return server
    raise ServiceError(f"the History Server is not up within {_READY_S:g} s", log, cli="read the named log")


def _ask(address: str) -> list[dict[str, Any]] | None:
    try:
        with _OPEN(address, timeout=5) as answer:
            return list(json.load(answer))
    except (URLError, OSError, ValueError):
        return None


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_END_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
