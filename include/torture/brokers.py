"""The real embedded broker, as tests start it: in a home of its own, on free ports of 127.0.0.1."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from include import settings as caudal
from include.services import broker as embedded
from include.services.ports import Ports
from include.settings import Settings
from jobs.contract.deadline import until

START_S = 150.0  # 3 s on an idle machine; a busy one takes its time


def free_ports(count: int) -> list[int]:
    """Ports that are free now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in sockets]
    finally:
        for probe in sockets:
            probe.close()


@contextmanager
def running(settings: Settings, ports: Ports, *overrides: str) -> Iterator[subprocess.Popen[bytes]]:
    """The broker as `up` starts it, without the supervisor. It is killed at the end, since its data go with
    the test's folder.

    `overrides`: key=value of the broker's own configuration.
    """
    for folder in (settings.layout.state, settings.layout.logs, settings.home / "logs"):
        folder.mkdir(parents=True, exist_ok=True)
    service = embedded.prepare(settings, ports)
    log = (settings.home / "broker-test.log").open("wb")
    more = [word for override in overrides for word in ("--override", override)]
    process = subprocess.Popen(
        [*service.argv, *more], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
    try:
        until(lambda: embedded.answers(ports.kafka, 1.0) or process.poll() is not None, START_S, 0.2)
        assert process.poll() is None, Path(log.name).read_text()
        assert embedded.answers(ports.kafka, 1.0), "the broker did not answer in time"
        yield process
    finally:
        process.kill()
        process.wait()
        log.close()


class Broker:
    """A broker in a home of its own, which can be killed and started again on the same data and port."""

    def __init__(self, home: Path, *overrides: str) -> None:
        kafka, controller, airflow = free_ports(3)
        keep = {k: v for k, v in os.environ.items() if not k.startswith("CAUDAL_KAFKA")}
        self.settings = replace(
            caudal.load(keep | {"CAUDAL_HOME": str(home)}), kafka_bootstrap=f"127.0.0.1:{kafka}"
        )
        self._ports, self._stack, self._overrides = Ports(kafka, controller, airflow), ExitStack(), overrides

    def start(self) -> None:
        self.process = self._stack.enter_context(running(self.settings, self._ports, *self._overrides))

    def stop(self) -> None:
        """kill -9."""
        self._stack.close()


@contextmanager
def in_a_home(home: Path) -> Iterator[Settings]:
    """Settings of a home whose broker runs."""
    broker = Broker(home)
    broker.start()
    try:
        yield broker.settings
    finally:
        broker.stop()
