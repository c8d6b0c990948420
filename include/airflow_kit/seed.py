"""The work of the DAG seed_kafka_topics: topics as the registry declares them, sample messages, sample
files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from airflow.sdk import Param

from include import streams
from include.airflow_kit.params import choice, integer
from include.kafka import produce as kafka_produce
from include.kafka import topics as kafka_topics
from include.samples import facturas
from include.settings import Settings
from jobs.contract.disk import storage
from jobs.contract.errors import UsageError
from jobs.contract.stream import Files, Stream, Topic

ALL = "all"
NONE = "none"
SAMPLES = "facturas"  # the tag of streams whose input is invoices
# at most; with these limits the invoice numbers of a seed never overlap those of the next
# (samples.facturas.BLOCK)
MESSAGES = 10_000
# at most: the task holds all samples in memory, and a seed's numbers must not reach into the next seed's
FILES, INVOICES = 20, 500


def params() -> dict[str, Param]:
    """The form's fields. The names to pick from come from the registry."""
    registry = streams.collect()[0]
    topics = sorted({topic.name for stream in registry.values() for topic in stream.topics})
    return {
        "topics": choice(
            ALL,
            title="Topics",
            values=[ALL, *topics],
            origin="`all`, or a topic of the registry",
            description="Which topics to create. A topic that exists is never changed; if its settings "
            "differ from the registry, the log says so.",
        ),
        **_message_fields(_message_topics(registry)),
        **_file_fields(_file_streams(registry)),
        "seed": integer(
            0,
            title="Seed",
            minimum=0,
            maximum=facturas.SEEDS - 1,
            description="The same seed gives the same amounts and invoice numbers. 0 takes a new one at "
            "each trigger; the result says which.",
        ),
    }


def _message_fields(readers: list[str]) -> dict[str, Param]:
    return {
        "messages": integer(
            0,
            title="Sample messages",
            minimum=0,
            maximum=MESSAGES,
            description="How many sample invoices to send, one per message. Each trigger sends more.",
        ),
        "messages_topic": choice(
            readers[0],
            title="Topic of the messages",
            values=readers,
            origin="a topic that a stream of invoices reads",
            description="Where the sample messages go.",
        ),
    }


def _file_fields(folders: list[str]) -> dict[str, Param]:
    return {
        "files": integer(
            0,
            title="Sample files",
            minimum=0,
            maximum=FILES,
            description="How many files of sample invoices to put into entrada.",
        ),
        "invoices": integer(
            100,
            title="Invoices per file",
            minimum=1,
            maximum=INVOICES,
            description="How many invoices each sample file holds, one per line.",
        ),
        "files_stream": choice(
            folders[0],
            title="Stream of the files",
            values=folders,
            origin="a stream that reads files of invoices",
            description="Whose folder under entrada the sample files go to.",
        ),
    }


def make_topics(settings: Settings, wanted: str) -> dict[str, list[str]]:
    """Creates missing topics; one that somebody else creates meanwhile is fine. `differences`: topics that
    exist with other settings, which stay as they are.

    Raises ConfigError, BrokerDown.
    """
    plan = kafka_topics.plan(settings, streams.collect()[0].values())
    if wanted != ALL:
        plan = replace(
            plan,
            to_create=tuple(t for t in plan.to_create if t.name == wanted),
            as_declared=tuple(name for name in plan.as_declared if name == wanted),
            differences=tuple(d for d in plan.differences if d.topic == wanted),
        )
    applied = kafka_topics.apply(plan)
    there = sorted([*plan.as_declared, *applied.met])
    return {
        "created": list(applied.created),
        "already_there": there,
        "differences": [str(d) for d in plan.differences],
    }


def send_messages(settings: Settings, topic: str, count: int, seed: int, now: datetime) -> dict[str, Any]:
    """Sends `count` sample invoices. Returns what was sent, and the totals that must come out. Raises
    TopicMissing, BrokerDown, DeliveryFailed."""
    if not count:
        return {"topic": topic, "messages": 0}
    _refuse_none(topic, "messages_topic")
    seed = chosen_seed(seed, now)
    sample = facturas.generate(count, seed, _ms(now))
    sent = kafka_produce.produce(
        settings, topic, (kafka_produce.Message(document.encode()) for document in sample.documents)
    )
    return {"topic": topic, "messages": sent.records, "seed": seed, "totals": sample.totals.to_json()}


def put_files(
    settings: Settings, stream: str, count: int, invoices: int, seed: int, now: datetime
) -> dict[str, Any]:
    """Writes `count` files of `invoices` lines each into the stream's folder under entrada. Each file appears
    whole, and replaces none.

    Raises UnknownStream, DiskFull; UsageError when these very files are there already.
    """
    if not count:
        return {"stream": stream, "files": []}
    _refuse_none(stream, "files_stream")
    folder, seed = settings.layout.entrada(streams.get(stream).folder), chosen_seed(seed, now)
    sample = facturas.generate(count * invoices, seed, _ms(now))
    names = [f"muestra-{now:%Y%m%dT%H%M%S}-{seed:04d}-{number:02d}.json" for number in range(1, count + 1)]
    with storage.disk_errors(folder):
        storage.make_dirs(folder)
        for number, name in enumerate(names):
            part = sample.documents[number * invoices : (number + 1) * invoices]
            try:
                storage.write_new(folder / name, ("\n".join(part) + "\n").encode())
            except FileExistsError:
                what, way = "this sample file is there already", "trigger again in a second"
                raise UsageError(what, folder / name, cli=way) from None
    return {
        "stream": stream,
        "folder": str(folder),
        "files": names,
        "seed": seed,
        "totals": sample.totals.to_json(),
    }


def chosen_seed(seed: int, now: datetime) -> int:
    """`seed`, or for 0 one that follows the clock: it does not repeat within two hours."""
    return seed or 1 + int(now.timestamp()) % (facturas.SEEDS - 1)


def readable(result: Mapping[str, Any]) -> list[str]:
    """A result as lines for the task log."""
    return [f"{key}: {_text(value)}" for key, value in result.items()]


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return "; ".join(value) if value else "none"
    return f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _message_topics(registry: Mapping[str, Stream]) -> list[str]:
    names = {
        s.source.name
        for s in registry.values()
        if isinstance(s.source, Topic) and s.source.format == "json" and SAMPLES in s.tags
    }
    return sorted(names) or [NONE]


def _file_streams(registry: Mapping[str, Stream]) -> list[str]:
    return sorted(
        s.name
        for s in registry.values()
        if isinstance(s.source, Files) and s.source.format == "json" and SAMPLES in s.tags
    ) or [NONE]


def _refuse_none(name: str, field: str) -> None:
    if name == NONE:
        raise UsageError("no stream of the registry reads invoices, so samples have nowhere to go", field)


def _ms(now: datetime) -> int:
    return int(now.timestamp() * 1000)
