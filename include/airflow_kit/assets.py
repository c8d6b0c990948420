"""What streams read and write, as Airflow assets. The URIs are stable: they contain no host and no port."""

from __future__ import annotations

from airflow.sdk import Asset

from jobs.contract.stream import Stream, Topic

GROUP = "caudal"


def _asset(kind: str, name: str) -> Asset:
    return Asset(name=f"{kind}/{name}", uri=f"caudal://{kind}/{name}", group=GROUP)


def topic(name: str) -> Asset:
    """`caudal://topic/<name>`: one asset per topic, whoever writes or reads it."""
    return _asset("topic", name)


def output(stream: Stream) -> Asset:
    """`caudal://salida/<stream>` for files, `caudal://topic/<topic>` for a Kafka sink."""
    return topic(stream.sink.name) if isinstance(stream.sink, Topic) else _asset("salida", stream.name)


def source(stream: Stream) -> Asset:
    """`caudal://entrada/<folder>` for files, `caudal://topic/<topic>` for a Kafka source,
    `caudal://salida/<stream>` for the output of an upstream stream."""
    if stream.upstream:
        return _asset("salida", stream.upstream)
    return topic(stream.source.name) if isinstance(stream.source, Topic) else _asset("entrada", stream.folder)


def archived() -> Asset:
    """`caudal://archivo/all`: one event per sweep; its extra has the plan of each stream."""
    return _asset("archivo", "all")


def checkpoints() -> Asset:
    """`caudal://checkpoints/all`: one event per cleaning."""
    return _asset("checkpoints", "all")


def generations() -> Asset:
    """`caudal://generations/all`: one event for each operation that a person asked for."""
    return _asset("generations", "all")
