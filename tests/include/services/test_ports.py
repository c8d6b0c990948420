"""Ports of a home: remembered, moved when a default is busy, refused by name when a configured one is."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from include import settings
from include.services import ports
from include.settings import ROOT, Settings
from jobs.contract.errors import ExitCode, PortTaken


def listener() -> socket.socket:
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(1)
    return server


def free_ports(count: int) -> list[int]:
    """Ports that were free just now; far below the ephemeral ones, so that no outgoing connection takes
    them."""
    first = 20000 + os.getpid() % 1000 * 10  # two pytest processes look at different ones
    return [number for number in range(first, first + 200) if not ports.why_not(number)][:count]


@pytest.fixture
def busy() -> Iterator[int]:
    with listener() as server:
        yield int(server.getsockname()[1])


def make(home: Path, **variables: str) -> Settings:
    (home / "state").mkdir(parents=True, exist_ok=True)
    return settings.load({"CAUDAL_HOME": str(home), **variables})


def test_a_busy_configured_port_is_refused_and_its_variable_named(tmp_path: Path, busy: int) -> None:
    with pytest.raises(PortTaken) as caught:
        ports.choose(make(tmp_path, CAUDAL_AIRFLOW_PORT=str(busy)))
    assert caught.value.where == "CAUDAL_AIRFLOW_PORT"
    assert caught.value.exit_code == ExitCode.CONFIG == 78
    assert f"port {busy} for airflow is not free: Address already in use" in str(caught.value)


def test_two_configured_ports_with_one_number_are_refused(tmp_path: Path) -> None:
    number = str(free_ports(1)[0])
    with pytest.raises(PortTaken, match="another port of this home"):
        ports.choose(make(tmp_path, CAUDAL_AIRFLOW_PORT=number, CAUDAL_KAFKA_PORT=number))


def test_a_busy_default_moves_and_says_so(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", 9092))
            server.listen(1)
        except OSError:
            pass  # somebody else has it already: just as busy
        choice = ports.choose(make(tmp_path))
        choice.release()
    assert choice.ports.kafka > 9092
    assert (
        f"kafka: port 9092 is busy, {choice.ports.kafka} is used (CAUDAL_KAFKA_PORT sets another)"
        in choice.moved
    )


def test_a_remembered_port_is_taken_again_while_it_is_free(tmp_path: Path) -> None:
    config, numbers = make(tmp_path), free_ports(3)
    ports.remember(config, ports.Ports(*numbers))
    choice = ports.choose(config)
    choice.release()
    assert choice.ports == ports.Ports(*numbers)
    assert json.loads((tmp_path / "state/ports.json").read_text()) == dict(
        zip(("kafka", "controller", "airflow"), numbers, strict=True)
    )


def test_a_remembered_port_that_is_busy_now_is_left(tmp_path: Path, busy: int) -> None:
    config, numbers = make(tmp_path), free_ports(2)
    ports.remember(config, ports.Ports(busy, *numbers))
    choice = ports.choose(config)
    choice.release()
    assert choice.ports.kafka != busy
    assert (choice.ports.controller, choice.ports.airflow) == tuple(numbers)


def test_a_port_on_which_our_own_service_listens_is_ours(tmp_path: Path, busy: int) -> None:
    config = make(tmp_path, CAUDAL_KAFKA_PORT=str(busy))
    choice = ports.choose(config, ours={busy})
    choice.release()
    assert choice.ports.kafka == busy


def test_two_homes_that_choose_at_once_choose_different_ports(tmp_path: Path) -> None:
    first = ports.choose(make(tmp_path / "a"))
    second = ports.choose(make(tmp_path / "b"))
    try:
        assert {first.ports.kafka, first.ports.controller, first.ports.airflow}.isdisjoint(
            {second.ports.kafka, second.ports.controller, second.ports.airflow}
        )
    finally:
        first.release()
        second.release()


def test_a_refused_choice_keeps_no_reservation(tmp_path: Path, busy: int) -> None:
    number = free_ports(1)[0]
    with pytest.raises(PortTaken):
        ports.choose(make(tmp_path, CAUDAL_KAFKA_PORT=str(number), CAUDAL_AIRFLOW_PORT=str(busy)))
    choice = ports.choose(make(tmp_path, CAUDAL_KAFKA_PORT=str(number)))
    choice.release()
    assert choice.ports.kafka == number


def test_with_a_broker_of_ones_own_no_broker_port_is_taken(tmp_path: Path, busy: int) -> None:
    choice = ports.choose(make(tmp_path, CAUDAL_KAFKA_BOOTSTRAP="broker:9092", CAUDAL_KAFKA_PORT=str(busy)))
    choice.release()
    assert (choice.ports.kafka, choice.ports.controller) == (0, 0)
    assert choice.ports.airflow >= 8080


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"kafka": 1}', '{"kafka": "x", "controller": 2, "airflow": 3}']
)
def test_a_damaged_memory_is_no_memory(tmp_path: Path, text: str) -> None:
    config = make(tmp_path)
    (tmp_path / "state/ports.json").write_text(text)
    assert ports.remembered(config) is None


def test_a_reserved_port_is_nobody_elses_until_its_process_ends_not_even_another_users(busy: int) -> None:
    code = (
        "import sys; from include.services import ports; print(ports.reserve(int(sys.argv[1])) is not None)"
    )
    other = [
        "setpriv",
        "--reuid=65534",
        "--clear-groups",
        "--inh-caps=-all,+dac_read_search",
        "--ambient-caps=-all,+dac_read_search",
    ]
    as_other = other if os.geteuid() == 0 and shutil.which("setpriv") else []

    def asked() -> str:
        argv = [*as_other, sys.executable, "-P", "-c", code, str(busy)]
        return subprocess.run(
            argv, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
        ).stdout.strip()

    held = ports.reserve(busy)
    assert held is not None
    assert asked() == "False"
    os.close(held)
    assert asked() == "True"
