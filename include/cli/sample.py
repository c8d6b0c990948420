"""sample STREAM: generated invoices for a stream to read, and the totals they must lead to."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from include import settings, streams
from include.cli._console import json_line, say, step, table
from include.kafka import produce
from include.samples import facturas, put
from include.settings import Settings
from jobs.contract.errors import Refused
from jobs.contract.stream import Stream, Topic


def command(
    stream: Annotated[str, typer.Argument(help="A stream that reads invoices.")],
    count: Annotated[int, typer.Option(help="Invoices.", min=1, max=1_000_000)] = 1000,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same invoices but for CreatedTime; default: the clock.", min=0)] = None,
    files: Annotated[int, typer.Option(help="Files to spread them over (streams that read files).", min=1, max=1000)] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Make invoices and put them into entrada, or produce them to the topic, of STREAM; print what must come out."""
    config, row, now_s = settings.load(), streams.get(stream), time.time()
    if "facturas" not in row.tags:
        raise Refused(
            f"{stream} reads no invoices, so the samples would all be refused", stream, cli="./caudal put or ./caudal produce takes your own data"
        )
    chosen, start_ms = int(now_s) if seed is None else seed, int(now_s * 1000)
    with step(f"{count} invoices for {stream}, seed {chosen}"):
        where = _deliver(config, row, count, chosen, start_ms, files)
    totals = facturas.totals_of(facturas.documents(count, chosen, start_ms)).to_json()
    for place in where:
        say(place)
    shown = [(name.replace("_", " "), f"{value:,.2f}" if isinstance(value, float) else f"{value:,}") for name, value in totals.items()]
    table(("expected", "value"), shown)
    if as_json:
        json_line({"stream": stream, "seed": chosen, "start_ms": start_ms, "places": where, "totals": totals})


def _deliver(config: Settings, row: Stream, count: int, seed: int, start_ms: int, files: int) -> list[str]:
    if isinstance(row.source, Topic):
        documents = (d.encode() for d in facturas.documents(count, seed, start_ms))
        done = produce.produce(config, row.source.name, produce.messages(documents, "InvoiceNumber"))
        return [f"topic {done.topic}: {done.records} records"]
    return [str(one.path) for one in put.samples(config, row, count, seed, start_ms, min(files, count))]
