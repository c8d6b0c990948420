"""Homes of Kafka streams on a broker that tests share: topics, records, runs and operations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from include import streams
from include.housekeeping.apply import apply
from include.housekeeping.plan import Plan
from include.kafka import connection, consume, produce, topics
from include.kafka.produce import Message
from include.samples import facturas as samples
from include.settings import Settings
from include.torture import runs
from include.torture.runs import multiset, wait_for

START_MS = 1_700_000_000_000


# topics


def admin_of(settings: Settings) -> Any:
    """Keep it in a variable: a client that is collected takes its futures with it."""
    from confluent_kafka.admin import AdminClient

    return AdminClient(connection.connect(settings).librdkafka())


def delete(settings: Settings, names: Sequence[str]) -> None:
    """Deletes those topics that exist, and waits until they are gone."""
    admin = admin_of(settings)
    if there := sorted(set(names) & set(admin.list_topics(timeout=30).topics)):
        for future in admin.delete_topics(there).values():
            future.result(30)
    wait_for(lambda: not set(names) & set(admin.list_topics(timeout=30).topics), "the topics are gone", 30)


def create(settings: Settings) -> None:
    """Creates the topics of the registry that do not exist."""
    topics.apply(topics.plan(settings, list(streams.collect()[0].values())))


def make_anew(settings: Settings, *names: str) -> None:
    """Deletes the topics and creates them again, empty."""
    delete(settings, names or ("facturas", "notificaciones"))
    create(settings)


def drop_records(settings: Settings, **before: int) -> None:
    """Deletes the records of partition p<N> below an offset, as retention does; -1 deletes all."""
    from confluent_kafka import TopicPartition

    admin = admin_of(settings)
    partitions = [TopicPartition("facturas", int(p[1:]), offset) for p, offset in before.items()]
    for future in admin.delete_records(partitions).values():
        future.result(30)


def add_partitions(settings: Settings, total: int) -> None:
    from confluent_kafka.admin import NewPartitions

    admin = admin_of(settings)
    for future in admin.create_partitions([NewPartitions("facturas", total)]).values():
        future.result(30)


# records


def send(settings: Settings, seed: int, count: int = 60) -> samples.Sample:
    """Sends sample invoices to the topic facturas."""
    sample = samples.generate(count, seed=seed, start_ms=START_MS)
    produce.produce(settings, "facturas", [Message(value=d.encode()) for d in sample.documents])
    return sample


def sent(settings: Settings, seed: int, count: int = 60) -> Counter[str]:
    """Sends sample invoices. Returns the rows that must come of them."""
    return multiset(send(settings, seed, count).expected_lines())


def notifications(settings: Settings) -> Counter[tuple[str, str]]:
    """(key, value) of each committed message on the topic notificaciones."""
    return Counter((r.key.decode(), r.value.decode()) for r in consume.read(settings, "notificaciones"))


# runs and operations


def ran(home: runs.Home) -> None:
    """Runs the home's stream once. The run must exit with 0."""
    code, out = home.run()
    assert code == 0, out


def plan(home: runs.Home, planner: Callable[..., Plan], **options: Any) -> Plan:
    return planner(home.settings, streams.get(home.stream), datetime.now(UTC), **options)


def do(home: runs.Home, planner: Callable[..., Plan], **options: Any) -> Plan:
    """Plans an operation of housekeeping and applies it."""
    now = datetime.now(UTC)

    def again() -> Plan:
        return planner(home.settings, streams.get(home.stream), now, **options)

    made = again()
    apply(home.settings, made, again, now)
    return made
