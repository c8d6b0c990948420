"""The embedded broker: one Kafka node (KRaft, broker and controller) on 127.0.0.1, data in
`<home>/kafka/data`."""

from __future__ import annotations

import base64
import logging
import re
import shutil
import subprocess
import uuid
from pathlib import Path

from include import environment
from include.services import files, records
from include.services.ports import HOST, Ports
from include.services.records import Service
from include.settings import Settings
from include.setup import jars, java
from jobs.contract.errors import CaudalError, DiskFull, ServiceError

NAME = "broker"
# C1 only: a start takes 1.9 s of CPU instead of 3.2; 800,000 records of 800 bytes take 8.4 s instead of 12.2,
# and
# are no slower
_JVM = (
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Dfile.encoding=UTF-8",
    "-Djava.awt.headless=true",
)
_FORMAT_S = 60.0
_THROWN = re.compile(
    r"(Caused by: |Exception in thread .*)?[\w.$]+(Exception|Error)\b"
)  # the first line of a Java trace, where the reason stands

_SERVER = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{kafka},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{kafka}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
num.partitions=3
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
# after a kill the new controller waits this long (default: 9 s) for the old broker;
# with 4 s the broker answers again after 6 s instead of 12.3
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=1000
# by default an empty record is written twice a second: half of an idle broker's CPU time
metadata.max.idle.interval.ms=10000
# above any run's limit (one hour): a transaction that outlives its timeout ends fenced
transaction.max.timeout.ms=7200000
# a week, then the oldest segments are deleted; segments are small, 64 MiB, so that some can be
log.retention.hours=168
log.segment.bytes=67108864
# a power cut may take the last second, not the last minutes
log.flush.scheduler.interval.ms=1000
log.flush.interval.ms=1000
# small: one home, a few topics (the default is 128 MiB of heap for the cleaner alone)
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
background.threads=4
"""

_LOG4J = """\
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{yyyy-MM-dd'T'HH:mm:ss'Z'}{UTC} %p %c{1} %m%n%xEx{12}
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = INFO
# it logs every setting at each start
logger.config.name = org.apache.kafka.common.config.AbstractConfig
logger.config.level = ERROR
"""


def _folder(settings: Settings) -> Path:
    return settings.home / "kafka"


def _java(settings: Settings, *words: str) -> tuple[str, ...]:
    log4j = f"-Dlog4j2.configurationFile={_folder(settings) / 'log4j2.properties'}"
    ours = (*_JVM, *environment.jvm(settings.tmp / "services"))
    return (str(java.find(settings).binary), *ours, log4j, "-cp", f"{jars.kafka_dir(settings)}/*", *words)


def _write_config(settings: Settings, ports: Ports, name: str, data: Path) -> Path:
    path = _folder(settings) / name
    files.write(path, _SERVER.format(host=HOST, kafka=ports.kafka, controller=ports.controller, data=data))
    return path


def _new_id() -> str:
    """A cluster id as Kafka writes it: 16 random bytes, URL-safe base64 without padding. It has no leading
    dash, which would read as an option."""
    text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return _new_id() if text.startswith("-") else text


def _format(settings: Settings, ports: Ports) -> None:
    """Formats the storage beside its final place, then renames it. So a half-formatted folder is made again,
    and a formatted one is never touched."""
    data, fresh = _folder(settings) / "data", _folder(settings) / "data.new"
    if data.is_dir():
        return
    shutil.rmtree(fresh, ignore_errors=True)  # noqa: TID251 - an unfinished format: no record was ever in it
    config = _write_config(settings, ports, "format.properties", fresh)
    argv = _java(settings, "kafka.tools.StorageTool", "format", "-t", _new_id(), "-c", str(config))
    log = records.log_of(settings.home, NAME)
    with log.open("ab") as stream:
        done = subprocess.run(
            argv,
            env=environment.of_services(settings),
            cwd=settings.home,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            timeout=_FORMAT_S,
            check=False,
        )
    if done.returncode:
        raise failure(settings, "the broker's storage could not be formatted")
    fresh.rename(data)


def prepare(settings: Settings, ports: Ports) -> Service:
    """Writes the configuration, formats the storage on first use, and returns how the broker is started.

    Raises InstallationError (no Java, no jars), DiskFull, ServiceError.
    """
    folder = _folder(settings)
    for place in (folder, settings.tmp / "services"):
        place.mkdir(parents=True, exist_ok=True)
    files.write(folder / "log4j2.properties", _LOG4J)
    _format(settings, ports)
    config = _write_config(settings, ports, "server.properties", folder / "data")
    return Service(NAME, _java(settings, "kafka.Kafka", str(config)), (ports.kafka, ports.controller))


def failure(settings: Settings, what: str) -> CaudalError:
    """An error that says `what`, with the last error line of the broker's log."""
    log = records.log_of(settings.home, NAME)
    lines = files.tail(log)
    if any("No space left on device" in line or "Disk quota exceeded" in line for line in lines[-200:]):
        return DiskFull("the broker cannot write: the disk or quota is full", log)
    thrown = [line for line in lines if _THROWN.match(line)]
    reasons = thrown or [line for line in lines if " ERROR " in line or " FATAL " in line]
    return ServiceError(
        f"{what}: {(reasons or lines or ['it wrote nothing'])[-1][:300]}", log, cli=f"read {log}"
    )


def answers(port: int, timeout_s: float = 2.0) -> bool:
    """True if a broker on 127.0.0.1:`port` answers a metadata request with its own address. An open port
    alone is not enough."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    quiet = logging.getLogger("caudal.librdkafka")
    quiet.setLevel(logging.CRITICAL + 1)  # a refused connection is an answer here, and not worth a log line
    client = AdminClient(
        {"bootstrap.servers": f"{HOST}:{port}", "socket.timeout.ms": int(timeout_s * 1000)}, logger=quiet
    )
    try:
        brokers = client.list_topics(timeout=timeout_s).brokers
    except KafkaException:
        return False
    return any(broker.port == port for broker in brokers.values())
