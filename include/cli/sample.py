"""sample STREAM: generated invoices or temperatures for a stream to read, and the totals they must lead to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated

import typer

from include import settings, streams
from include.cli._console import json_line, say, step, table
from include.kafka import produce
from include.samples import facturas, put, temperaturas
from include.settings import Settings
from jobs.contract.errors import Refused
from jobs.contract.stream import Stream, Topic

TEMPERATURES = "temperaturas"  # the tag of streams whose input is readings


def command(
    stream: Annotated[str, typer.Argument(help="A stream that reads invoices or temperatures.")],
    count: Annotated[int, typer.Option(help="Records.", min=1, max=1_000_000)] = 1000,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same records but for their time; default: the clock.", min=0)] = None,
    files: Annotated[int, typer.Option(help="Files to spread them over (streams that read files).", min=1, max=1000)] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Make records and put them into entrada, or produce them to the topic, of STREAM; print what must come out."""
    config, row, now_s = settings.load(), streams.get(stream), time.time()
    _require_readable(row)
    what = "temperatures" if TEMPERATURES in row.tags else "invoices"
    chosen, start_ms = int(now_s) if seed is None else seed, int(now_s * 1000)
    with step(f"{count} {what} for {stream}, seed {chosen}"):
        where = _deliver(config, row, count, chosen, start_ms, files)
    made = _documents(row, count, chosen, start_ms)
    totals = temperaturas.totals_of(made) if TEMPERATURES in row.tags else facturas.totals_of(made).to_json()
    for place in where:
        say(place)
    shown = [(name.replace("_", " "), f"{value:,.2f}" if isinstance(value, float) else f"{value:,}") for name, value in totals.items()]
    table(("expected", "value"), shown)
    if as_json:
        json_line({"stream": stream, "seed": chosen, "start_ms": start_ms, "places": where, "totals": totals})


def _require_readable(row: Stream) -> None:
    if row.upstream:
        raise Refused(f"{row.name} reads what {row.upstream} publishes", row.name, cli=f"./caudal sample {row.upstream}")
    if not {"facturas", TEMPERATURES} & set(row.tags):
        what = f"{row.name} reads neither invoices nor temperatures, so the samples would all be refused"
        raise Refused(what, row.name, cli="./caudal put or ./caudal produce takes your own data")


def _documents(row: Stream, count: int, seed: int, start_ms: int) -> Iterator[str]:
    """Temperatures end at `start_ms`: one from the future would be refused."""
    if TEMPERATURES in row.tags:
        return temperaturas.documents(count, seed, start_ms - count * temperaturas.MOST_STEP_MS)
    return facturas.documents(count, seed, start_ms)


def _deliver(config: Settings, row: Stream, count: int, seed: int, start_ms: int, files: int) -> list[str]:
    if isinstance(row.source, Topic):
        documents = (d.encode() for d in _documents(row, count, seed, start_ms))
        key = "sensor" if TEMPERATURES in row.tags else "InvoiceNumber"
        done = produce.produce(config, row.source.name, produce.messages(documents, key))
        return [f"topic {done.topic}: {done.records} records"]
    if TEMPERATURES in row.tags:
        return [str(put.lines(config, row, f"temperaturas-{seed}.json", _documents(row, count, seed, start_ms)).path)]
    return [str(one.path) for one in put.samples(config, row, count, seed, start_ms, min(files, count))]
