"""The real broker, which answers and sends its clients where nobody is: every way in names the addresses.
Once by a name, once by a port, once in a cluster of which half can be reached.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from include import settings as caudal
from include import streams
from include.kafka import away, consume, offsets, produce, topics
from include.kafka.connection import Connection, connect
from include.services import broker as embedded
from include.services.ports import Ports
from include.settings import Settings
from include.torture import runs
from include.torture.brokers import START_S, free_ports, running
from jobs.contract.errors import BrokerDown, BrokerUnreachable, ServiceError
from jobs.contract.kafka import advertised
from jobs.contract.kafka.advertised import Address
from jobs.contract.stream import Topic

pytestmark = pytest.mark.broker
NAME, TOPIC = "nowhere.invalid", "away"
UNKNOWN = (  # the second when the name service takes its time
    r"\((this machine does not know that name|no answer within 2 "
    r"s)\)"
)


@dataclass(frozen=True)
class Away:
    """Settings that reach the same broker at four of its doors."""

    good: Settings
    name: Settings  # advertises NAME
    port: Settings  # advertises a closed port
    half: Settings  # advertises itself, and another broker of its cluster that advertises NAME
    closed: int  # nobody listens there


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Away]:
    kafka, controller, airflow, name, port, half, closed = free_ports(7)
    keep = {k: v for k, v in os.environ.items() if not k.startswith("CAUDAL_KAFKA_")}
    settings = caudal.load({**keep, "CAUDAL_HOME": str(tmp_path_factory.mktemp("away"))})
    doors = {"PLAINTEXT": kafka, "NAME": name, "PORT": port, "HALF": half}
    listeners = ",".join(f"{door}://127.0.0.1:{number}" for door, number in doors.items())
    told = (
        f"PLAINTEXT://127.0.0.1:{kafka},NAME://{NAME}:9092,PORT://127.0.0.1:{closed},HALF://127.0.0.1:{half}"
    )
    kinds = ",".join(f"{door}:PLAINTEXT" for door in (*doors, "CONTROLLER"))
    more = (
        f"listeners={listeners},CONTROLLER://127.0.0.1:{controller}",
        f"advertised.listeners={told}",
        f"listener.security.protocol.map={kinds}",
    )
    with running(settings, Ports(kafka, controller, airflow), *more):
        good, *others = (
            replace(settings, kafka_bootstrap=f"127.0.0.1:{number}") for number in doors.values()
        )
        topics.apply(topics.TopicPlan(connect(good), (Topic(TOPIC, partitions=2),), (), ()))
        yield Away(good, *others, closed)


WAYS: dict[str, Callable[[Settings], Any]] = {
    "a run asks for positions": lambda settings: offsets.positions(settings, TOPIC),
    "topics list": topics.list_topics,
    "topics create": lambda settings: topics.ensure(settings, streams.collect()[0].values()),
    "produce": lambda settings: produce.produce(settings, TOPIC, [produce.Message(b"v")]),
    "consume": lambda settings: list(consume.read(settings, TOPIC)),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_names_what_the_broker_advertises_and_why_it_cannot_be_reached(
    broker: Away, way: str
) -> None:
    with pytest.raises(BrokerUnreachable) as found:
        WAYS[way](broker.name)
    assert re.fullmatch(
        rf"the broker answers, but sends its clients to {NAME}:9092 {UNKNOWN}", found.value.what
    )
    assert (found.value.where, "advertised.listeners" in found.value.way_cli) == (
        broker.name.kafka_bootstrap,
        True,
    )


def test_a_closed_port_is_another_reason(broker: Away) -> None:
    with pytest.raises(BrokerUnreachable) as found:
        offsets.positions(broker.port, TOPIC)
    assert (
        found.value.what
        == f"the broker answers, but sends its clients to 127.0.0.1:{broker.closed} (connection refused)"
    )


@pytest.mark.fault("the broker answers and advertises an address that is out of reach")
def test_a_run_says_it_in_its_last_line(broker: Away, tmp_path: Path) -> None:
    home = runs.Home.at(tmp_path, "facturas_kafka", broker.name.kafka_bootstrap)
    code, output = home.run()
    assert code == 69
    assert (
        f"broker-unreachable: the broker answers, but sends its clients to {NAME}:9092"
        in output.splitlines()[-1]
    )


def test_the_driver_names_it_when_the_broker_goes_out_of_reach_in_mid_run(
    broker: Away, tmp_path: Path
) -> None:
    """As at a leader that moves to another broker of a cluster: the launcher had found all in reach."""
    from jobs.core import run

    @dataclass
    class Spec:
        bootstrap: str
        kafka_properties: str = ""

    late = ServiceError("the broker did not answer in time", "driver.log")
    spec: Any = Spec(broker.port.kafka_bootstrap)
    assert run._explained(late, spec).code == "broker-unreachable"
    assert run._explained(late, Spec(broker.good.kafka_bootstrap)) is late  # type: ignore[arg-type]
    other = BrokerUnreachable("x")
    assert run._explained(other, spec) is other


@contextmanager
def second_node(first: Settings, folder: Path) -> Iterator[None]:
    """Another broker of the same cluster. At the door HALF it advertises NAME."""
    (port, half), data, config = free_ports(2), folder / "data", folder / "second.properties"
    listeners, told = (
        f"PLAINTEXT://127.0.0.1:{port},HALF://{place}" for place in (f"127.0.0.1:{half}", f"{NAME}:9092")
    )
    text = (first.home / "kafka" / "server.properties").read_text()
    changed = {
        "process.roles": "broker",
        "node.id": "2",
        "log.dirs": str(data),
        "listeners": listeners,
        "advertised.listeners": told,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,HALF:PLAINTEXT",
    }
    for key, value in changed.items():
        text = re.sub(rf"^{re.escape(key)}=.*", f"{key}={value}", text, flags=re.M)
    config.write_text(text)
    cluster = re.search(
        r"^cluster\.id=(.*)$", (first.home / "kafka" / "data" / "meta.properties").read_text(), re.M
    )
    assert cluster
    log = (folder / "second.log").open("wb")
    format_ = embedded._java(first, "kafka.tools.StorageTool", "format", "-t", cluster[1], "-c", str(config))
    subprocess.run(format_, stdout=log, stderr=log, check=True)
    process = subprocess.Popen(
        embedded._java(first, "kafka.Kafka", str(config)), stdin=subprocess.DEVNULL, stdout=log, stderr=log
    )
    try:
        until = time.monotonic() + START_S
        while len(named(first)) < 2:
            assert process.poll() is None and time.monotonic() < until, (folder / "second.log").read_text()
            time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()
        log.close()
        until = time.monotonic() + START_S
        while len(named(first)) != 1:  # the cluster forgets it after broker.session.timeout.ms
            assert time.monotonic() < until
            time.sleep(0.2)


def named(settings: Settings) -> list[Address]:
    (server,) = advertised._parsed(settings.kafka_bootstrap)
    return advertised._ask_socket(server)


def on_both(settings: Settings, topic: str) -> None:
    """A topic with a partition on each of the two brokers."""
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient(connect(settings).librdkafka())
    admin.create_topics([NewTopic(topic, 2, replica_assignment=[[1], [2]])])[topic].result(START_S)
    until = time.monotonic() + START_S
    while {p.leader for p in admin.list_topics(topic, timeout=START_S).topics[topic].partitions.values()} != {
        1,
        2,
    }:
        assert time.monotonic() < until
        time.sleep(0.2)


def test_a_cluster_of_which_half_is_out_of_reach_names_that_half(broker: Away, tmp_path: Path) -> None:
    with second_node(broker.good, tmp_path):
        on_both(broker.good, "mixed")
        with pytest.raises(BrokerUnreachable) as found:
            offsets.positions(broker.half, "mixed", timeout_s=2.0)
        assert re.search(
            rf"to {NAME}:9092 {UNKNOWN}; the others of its 2 addresses can be reached", found.value.what
        )


def test_the_client_that_asks_behind_tls_or_a_login_hears_the_same(broker: Away) -> None:
    from confluent_kafka.admin import AdminClient

    assert (
        advertised._ask_client(AdminClient, connect(broker.port).librdkafka())
        == named(broker.port)
        == [Address("127.0.0.1", broker.closed)]
    )


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\0\0\0\x0a" + b"\0\0\0\1\x7f\xff\xff\xff\0\0",
        b"\xff" * 99,
    ],
)
def test_what_is_no_broker_advertises_nothing(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            link = server.accept()[0]
            link.recv(100)
            link.sendall(answer)
            link.close()

        thread = threading.Thread(target=speak)
        thread.start()
        assert advertised._ask_socket(Address("127.0.0.1", server.getsockname()[1])) == []
        thread.join()


def test_a_broker_that_is_away_is_told_so_at_once(broker: Away) -> None:
    start = time.monotonic()
    found = away.explained("no broker answers", Connection(f"127.0.0.1:{broker.closed}"))
    assert (type(found), found.what) == (BrokerDown, "no broker answers")
    assert type(away.explained("x", Connection(f"{NAME}:1,[::1]:{broker.closed}"))) is BrokerDown
    assert (
        type(away.explained("in time", connect(broker.good))) is BrokerDown
    )  # it is there, and all it says is in reach
    assert time.monotonic() - start < 5.0
