"""Several homes at once, busy ports, damaged storage. test_airflow tests the services of one home."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from include.services import broker, home, ports, processes, records, stack, supervisor
from include.services.airflow import keys
from include.services.airflow import server as airflow
from include.services.ports import Ports
from include.services.records import Plan
from include.settings import Settings
from include.torture.brokers import free_ports
from jobs.contract.errors import ConfigError, ServiceError
from tests.integration.airflow_home import listening, until
from tests.integration.command_line import call, new_home


def pids(rows: Sequence[stack.Row]) -> dict[str, int]:
    return {row.name: row.pid for row in rows}


def states(rows: Sequence[stack.Row]) -> dict[str, str]:
    return {row.name: row.state for row in rows}


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Settings]:
    """A home with free ports. With the default ports, another test could take one while a killed service is
    down."""
    variables = ("CAUDAL_KAFKA_PORT", "CAUDAL_KAFKA_CONTROLLER_PORT", "CAUDAL_AIRFLOW_PORT")
    settings = new_home(tmp_path / "home", **dict(zip(variables, map(str, free_ports(3)), strict=True)))
    yield settings
    stack.down(settings)
    assert processes.marked(settings.home) == set()


@pytest.mark.torture
@pytest.mark.airflow
@pytest.mark.broker
@pytest.mark.timeout(600)
def test_a_broker_of_ones_own_starts_none_and_two_homes_run_side_by_side(
    config: Settings, tmp_path: Path
) -> None:
    stack_a = stack.up(config)
    other = new_home(tmp_path / "other", CAUDAL_KAFKA_BOOTSTRAP=f"127.0.0.1:{stack_a.ports.kafka}")
    try:
        stack_b = stack.up(other)
        assert states(stack_b.rows) == {
            broker.NAME: "external",
            **dict.fromkeys([*airflow.NAMES, records.SUPERVISOR], "healthy"),
        }
        assert broker.NAME not in records.read_records(other.home)
        assert stack_b.ports.airflow != stack_a.ports.airflow
        assert keys.password(other) != keys.password(config)
        with pytest.raises(ConfigError, match="runs with another CAUDAL_KAFKA_BOOTSTRAP"):
            stack.up(
                replace(
                    other,
                    kafka_bootstrap="127.0.0.1:1",
                    environ={**other.environ, "CAUDAL_KAFKA_BOOTSTRAP": "127.0.0.1:1"},
                )
            )
        stack.down(config)
        until(lambda: set(states(stack.rows(other)).values()) == {"external", "healthy"}, 60)
        assert pids(stack.rows(other)) == pids(stack_b.rows)
    finally:
        stack.down(other)
    assert stack.left_overs(other) == set()


def test_up_with_a_busy_configured_port_ends_with_78_and_names_the_variable(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        config = new_home(tmp_path / "home", CAUDAL_AIRFLOW_PORT=str(server.getsockname()[1]))
        done = call(config.environ, "up", timeout=60)
    assert done.returncode == 78
    assert done.stderr.startswith("caudal: port-taken: ")
    assert "[CAUDAL_AIRFLOW_PORT]" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert processes.marked(config.home) == set()


def start_broker(config: Settings) -> Ports:
    """Starts the broker alone under the supervisor, as `up` does."""
    home.make(config.layout)
    choice = ports.choose(config)
    ports.remember(config, choice.ports)
    plan = Plan((broker.prepare(config, choice.ports),), {})
    supervisor.launch(config.home, plan, config.environ, choice.locks)
    choice.release()
    return choice.ports


def pid_of_broker(config: Settings) -> int:
    record = records.read_records(config.home).get(broker.NAME)
    return record.pid if record and record.alive else 0


def send(port: int, topic: str, values: Sequence[str]) -> None:
    from confluent_kafka import Producer

    failed: list[object] = []
    producer = Producer({"bootstrap.servers": f"127.0.0.1:{port}", "acks": "all", "log_level": 0})
    for value in values:
        producer.produce(
            topic, value.encode(), on_delivery=lambda error, _: failed.append(error) if error else None
        )
    assert producer.flush(30) == 0
    assert failed == []


def create(port: int, topic: str) -> None:
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}"})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)


def values_in(port: int, topic: str, count: int) -> list[str]:
    from confluent_kafka import Consumer

    consumer = Consumer(
        {
            "bootstrap.servers": f"127.0.0.1:{port}",
            "group.id": "t",
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    consumer.subscribe([topic])
    found: list[str] = []
    deadline = time.monotonic() + 30
    while len(found) < count and time.monotonic() < deadline:
        message = consumer.poll(1.0)
        if message is not None and not message.error():
            found.append(message.value().decode())
    consumer.close()
    return found


@pytest.mark.broker
def test_a_home_that_goes_down_takes_no_other_with_it_and_a_broker_of_ones_own_is_no_service_of_it(
    config: Settings, tmp_path: Path
) -> None:
    numbers, other = start_broker(config), new_home(tmp_path / "other")
    try:
        others = start_broker(other)
        until(lambda: broker.answers(numbers.kafka) and broker.answers(others.kafka), 60)
        before = pid_of_broker(other)
        assert broker.NAME in stack.down(config)
        assert (pid_of_broker(other), broker.answers(others.kafka), broker.answers(numbers.kafka)) == (
            before,
            True,
            False,
        )
        guest = new_home(tmp_path / "guest", CAUDAL_KAFKA_BOOTSTRAP=f"127.0.0.1:{others.kafka}")
        assert states(stack.rows(guest)) == {
            broker.NAME: "external",
            **dict.fromkeys([*airflow.NAMES, records.SUPERVISOR], "stopped"),
        }
    finally:
        stack.down(other)


@pytest.mark.torture
@pytest.mark.broker
def test_a_killed_broker_is_back_by_itself_with_every_acknowledged_record(config: Settings) -> None:
    numbers = start_broker(config)
    until(lambda: broker.answers(numbers.kafka), 60)
    assert {ip for ip, _ in listening(config)} == {"127.0.0.1"}
    create(numbers.kafka, "t")
    send(numbers.kafka, "t", [f"a{i}" for i in range(1000)])
    before = pid_of_broker(config)
    os.kill(before, signal.SIGKILL)
    until(lambda: pid_of_broker(config) not in (0, before) and broker.answers(numbers.kafka), 60)
    send(numbers.kafka, "t", ["b"])
    assert values_in(numbers.kafka, "t", 1001) == [*(f"a{i}" for i in range(1000)), "b"]


@pytest.mark.broker
def test_a_half_formatted_storage_is_formatted_again(config: Settings) -> None:
    home.make(config.layout)
    half = config.home / "kafka/data.new"
    half.mkdir(parents=True)
    (half / "meta.properties").write_text("version=1\nclus")
    numbers = start_broker(config)
    until(lambda: broker.answers(numbers.kafka), 60)
    assert not half.exists()


@pytest.mark.torture
@pytest.mark.broker
def test_a_broker_with_damaged_storage_is_given_up_in_one_line_with_its_log(config: Settings) -> None:
    numbers = Ports(*(one.number for one in (config.kafka_port, config.controller_port, config.airflow_port)))
    home.make(config.layout)
    broker.prepare(config, numbers)
    (config.home / "kafka/data/meta.properties").write_text("version=1\nnode.id=7\ncluster.id=x\n")
    start_broker(config)
    until(lambda: (one := records.read_records(config.home).get(broker.NAME)) and one.state == "gave-up", 90)
    error = broker.failure(config, "broker does not start")
    assert isinstance(error, ServiceError)
    assert str(records.log_of(config.home, broker.NAME)) in str(error)
    assert "node id" in str(error).lower()
    assert "\n" not in str(error)


def test_a_full_disk_in_the_log_is_said_as_such(config: Settings) -> None:
    home.make(config.layout)
    records.log_of(config.home, broker.NAME).write_text("x\njava.io.IOException: No space left on device\n")
    assert broker.failure(config, "broker does not start").code == "disk-full"
