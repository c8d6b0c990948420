"""sample STREAM: generates records for a stream to read, and prints the totals that must come out."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from include import settings, streams
from include.cli.terminal.console import json_line, say, step, table
from include.kafka import produce
from include.samples import feed, put
from include.samples.kinds import Kind
from include.settings import Settings
from jobs.contract.stream import Stream, Topic


def command(
    stream: Annotated[str, typer.Argument(help="A stream that reads invoices, temperatures or bizums.")],
    count: Annotated[int, typer.Option(help="Records.", min=1, max=1_000_000)] = 1000,
    seed: Annotated[
        int | None,
        typer.Option(
            help="The same seed gives the same records, except their times; default: from the clock.", min=0
        ),
    ] = None,
    files: Annotated[
        int,
        typer.Option(help="Number of files to spread them over (streams that read files).", min=1, max=1000),
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Generate invoices, temperatures or bizums for STREAM, deliver them to its folder or topic, and print
    the totals that must come out. Some are malformed, blank or late on purpose."""
    config, row, now_s = settings.load(), streams.get(stream), time.time()
    kind = feed.kind(row)
    chosen, now_ms = int(now_s) if seed is None else seed, int(now_s * 1000)
    say(what := f"{count} {kind.what} for {stream}, seed {chosen}")
    with step(what):
        where = _deliver(config, row, kind, (count, chosen, now_ms), files)
    totals = kind.totals(kind.documents(count, chosen, now_ms))
    for place in where:
        say(place)
    say(kind.purpose(totals))
    shown = [
        (name.replace("_", " "), f"{value:,.2f}" if isinstance(value, float) else f"{value:,}")
        for name, value in totals.items()
    ]
    table(("expected", "value"), shown)
    if as_json:
        json_line(
            {
                "stream": stream,
                "seed": chosen,
                "start_ms": now_ms,
                "places": where,
                "totals": totals,
                "on_purpose": kind.purpose(totals),
            }
        )


def _deliver(config: Settings, row: Stream, kind: Kind, made: tuple[int, int, int], files: int) -> list[str]:
    """`made`: (count, seed, now in ms) of the documents."""
    count, seed, _ = made
    if isinstance(row.source, Topic):
        messages = produce.messages((document.encode() for document in kind.documents(*made)), kind.key)
        done = produce.produce(config, row.source.name, messages)
        return [f"topic {done.topic}: {done.records} records"]
    documents = kind.documents(*made)
    return [
        str(one.path)
        for one in put.spread(config, row, kind.file.format(seed), documents, count, min(files, count))
    ]
