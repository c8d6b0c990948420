"""consume TOPIC: prints the records of a topic."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import islice
from typing import Annotated, Any

import typer

from include import settings
from include.cli.terminal.console import json_line, printable
from include.kafka import consume
from include.kafka.consume import ConsumerRecord


def command(
    topic: Annotated[str, typer.Argument(help="A topic; ./caudal topics list shows them.")],
    maximum: Annotated[int | None, typer.Option("--max", help="Stop after this many records.", min=1)] = None,
    last: Annotated[int | None, typer.Option(help="Only this many of the newest records.", min=1)] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object with the whole records as the last line.")
    ] = False,
) -> None:
    """Print the values of TOPIC, one per line, from its earliest record to its present end. Only committed
    records.

    Streams send in Kafka transactions. Messages that a killed run has sent are still on the topic, but
    aborted, and are not printed.
    """
    config = settings.load()
    found: Iterable[ConsumerRecord] = (
        consume.read(config, topic) if last is None else consume.tail(config, topic, last)
    )
    chosen = islice(found, maximum)
    if as_json:
        records = [_as_dict(record) for record in chosen]
        json_line({"topic": topic, "count": len(records), "records": records})
        return
    for record in chosen:
        # not flushed after each line: 200,000 records take 2 s instead of 9
        sys.stdout.write(_line(record.value))


def _as_dict(record: ConsumerRecord) -> dict[str, Any]:
    place = {"partition": record.partition, "offset": record.offset, "timestamp_ms": record.timestamp_ms}
    headers = {name: _text(value) for name, value in record.headers}
    return {**place, "key": _text(record.key), "value": _text(record.value), "headers": headers}


def _line(value: bytes | None) -> str:
    text = _text(value) or ""
    return f"{text if text.isprintable() else printable(text)}\n"


def _text(data: bytes | None) -> str | None:
    """The bytes as UTF-8, with undecodable bytes as \\xNN; None for a null."""
    return None if data is None else data.decode("utf-8", "backslashreplace")
