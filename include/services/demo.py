"""The steps of `./caudal demo` between up and show: make topics, feed invoices, run three streams, and
compare the output of *these* invoices.

Earlier data of the home does not count. Invoices of this run are recognised by number and time, and messages
by their offset.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from include import streams
from include.kafka import consume, offsets, produce
from include.samples import facturas, put
from include.samples.facturas import Sample
from include.services.airflow.rest import Rest
from include.settings import Settings
from jobs.contract.errors import ServiceError
from jobs.contract.stream import Stream, Topic

FILES_STREAM, KAFKA_STREAM, NOTICES_STREAM = "facturas_ficheros", "facturas_kafka", "notificaciones"
STREAMS = (FILES_STREAM, KAFKA_STREAM, NOTICES_STREAM)
FILES = 3
INVOICES = 300  # in all files together; as many are sent as messages
KEY = "InvoiceNumber"

Line = tuple[str, int, str, float]  # invoice number, its time in ms, delivery type, value of one line


@dataclass(frozen=True)
class Fed:
    """What went in. `mark`: partition -> the first offset that a new notification can have."""

    places: list[str]
    files: Sample
    messages: Sample
    start_ms: int
    mark: dict[int, int]


@dataclass(frozen=True)
class Check:
    """One number of one stream: as the generator predicts it, and as found in the output."""

    stream: str
    what: str
    expected: float
    found: float

    @property
    def agrees(self) -> bool:
        return self.expected == self.found


def _topic(end: object, stream: str) -> Topic:
    if not isinstance(end, Topic):
        raise ServiceError(
            f"the demo needs {stream} as it is delivered, with its topic", f"include/streams/{stream}.py"
        )
    return end


def feed(settings: Settings, now_s: float) -> Fed:
    """Puts FILES files, and produces as many other invoices. `now_s`: seconds since the epoch; seeds and
    invoice times follow from it."""
    seed, start_ms = int(now_s) * 2, int(now_s * 1000)
    source = _topic(streams.get(KAFKA_STREAM).source, KAFKA_STREAM)
    sink = _topic(streams.get(NOTICES_STREAM).sink, NOTICES_STREAM)
    mark = offsets.positions(settings, sink.name).end
    files = facturas.generate(INVOICES, seed, start_ms)
    messages = facturas.generate(INVOICES, seed + 1, start_ms)
    placed = put.samples(settings, streams.get(FILES_STREAM), INVOICES, seed, start_ms, FILES)
    sent = produce.produce(
        settings, source.name, produce.messages((d.encode() for d in messages.documents), KEY)
    )
    places = [*(str(one.path) for one in placed), f"topic {sent.topic}: {sent.records} messages"]
    return Fed(places, files, messages, start_ms, mark)


def run(rest: Rest, timeout_s: float, seen: Callable[[dict[str, str]], None]) -> dict[str, str]:
    """Triggers the three DAGs and waits; returns their final states by DAG. If a scheduled run is under way,
    Airflow itself waits for it."""
    started = {name: rest.trigger(name) for name in STREAMS}
    return rest.wait(started, timeout_s, seen)


def _expected_lines(sample: Sample) -> Counter[Line]:
    return Counter(
        (r["InvoiceNumber"], r["CreatedTime"], r["DeliveryType"], r["TotalValue"])
        for r in sample.expected_lines()
    )


def _reader(stream: Stream) -> str:
    """DuckDB's reader for the documented glob, with only the columns that are compared."""
    if getattr(stream.sink, "format", "") == "parquet":
        return "read_parquet(?)"
    columns = (
        "{InvoiceNumber: 'VARCHAR', CreatedTime: 'BIGINT', DeliveryType: 'VARCHAR', TotalValue: 'DOUBLE'}"
    )
    return f"read_json(?, format = 'newline_delimited', columns = {columns})"


def _published_lines(settings: Settings, stream: Stream, start_ms: int) -> list[Line]:
    """Lines of invoices made at or after `start_ms`, read as any user of the output would; none before the
    first batch."""
    import duckdb

    salida = settings.layout.salida(stream.name)
    if not any(salida.glob("gen=*/batch=*/part-*")):
        return []
    columns = "InvoiceNumber, CreatedTime, DeliveryType, TotalValue"
    query = f"SELECT {columns} FROM {_reader(stream)} WHERE CreatedTime >= ?"
    with duckdb.connect(":memory:") as database:
        rows = database.execute(query, [str(salida / "gen=*/batch=*/part-*"), start_ms]).fetchall()
    return [(str(number), int(made), str(delivery), float(value)) for number, made, delivery, value in rows]


def _ours(found: Iterable[Line], expected: Counter[Line]) -> Counter[Line]:
    """Only the lines of this demo's invoices: others may have been fed meanwhile."""
    invoices = {(line[0], line[1]) for line in expected}
    return Counter(line for line in found if (line[0], line[1]) in invoices)


def _numbers(lines: Counter[Line]) -> dict[str, float]:
    homes = {(number, made) for number, made, delivery, _ in lines if delivery == "HOME-DELIVERY"}
    return {
        "invoices": len({(number, made) for number, made, _, _ in lines}),
        "lines": lines.total(),
        "value of all lines": math.fsum(value for *_, value in lines.elements()),
        "home deliveries": len(homes),
    }


def _check_lines(settings: Settings, name: str, sample: Sample, start_ms: int) -> list[Check]:
    wanted = _expected_lines(sample)
    found = _ours(_published_lines(settings, streams.get(name), start_ms), wanted)
    totals = sample.totals
    expected = {
        "invoices": totals.invoices,
        "lines": totals.lines,
        "value of all lines": totals.total_value,
        "home deliveries": totals.home_deliveries,
    }
    numbers = _numbers(found)
    differing = (wanted - found).total() + (found - wanted).total()
    return [
        *(Check(name, what, number, numbers[what]) for what, number in expected.items()),
        Check(name, "lines that differ", 0, differing),
    ]


def _notices(settings: Settings, mark: dict[int, int], invoices: set[str]) -> list[dict[str, Any]]:
    """Notifications after the mark that are about these invoices."""
    topic = _topic(streams.get(NOTICES_STREAM).sink, NOTICES_STREAM).name
    end = offsets.positions(settings, topic).end
    new = sum(end[partition] - mark.get(partition, 0) for partition in end)
    notifications = (
        [r for r in consume.tail(settings, topic, new) if r.offset >= mark.get(r.partition, 0)] if new else []
    )
    return [json.loads(r.value) for r in notifications if r.value and r.key and r.key.decode() in invoices]


def _check_notices(settings: Settings, fed: Fed) -> list[Check]:
    wanted = fed.messages.expected_notifications()
    notifications = _notices(settings, fed.mark, {str(row[KEY]) for row in wanted})
    amounts = math.fsum(row["TotalAmount"] for row in notifications)
    points = math.fsum(row["EarnedLoyaltyPoints"] for row in notifications)
    totals = fed.messages.totals
    return [
        Check(NOTICES_STREAM, "messages", totals.invoices, len(notifications)),
        Check(NOTICES_STREAM, "total amount", totals.total_amount, amounts),
        Check(NOTICES_STREAM, "loyalty points", totals.loyalty_points, points),
    ]


def compare(settings: Settings, fed: Fed) -> list[Check]:
    """Compares what went in with what came out, number by number."""
    return [
        *_check_lines(settings, FILES_STREAM, fed.files, fed.start_ms),
        *_check_lines(settings, KAFKA_STREAM, fed.messages, fed.start_ms),
        *_check_notices(settings, fed),
    ]
