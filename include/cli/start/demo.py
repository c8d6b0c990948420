"""`./caudal demo`"""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer

from include import settings as configuration
from include import streams
from include.cli.daily import show
from include.cli.start import setup
from include.cli.terminal.console import Step, json_line, say, step, table
from include.kafka import topics
from include.services import demo, stack
from include.services.airflow import keys, server
from include.services.demo import Check
from include.settings import Settings
from jobs.contract.errors import ExitCode


def _told(current: Step, states: dict[str, str]) -> None:
    current.update(", ".join(f"{dag} {state}" for dag, state in states.items()))


def _up(settings: Settings) -> stack.Up:
    with step("Broker and Airflow") as progress:
        done = stack.up(settings, progress.update)
    if not settings.embedded_kafka:
        made = topics.ensure(settings, streams.collect()[0].values())
        done.notes.append(f"topics made: {', '.join(made) or 'none, all exist'}")
    for note in done.notes:
        say(f"note: {note}")
    return done


def _number(value: float) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"


def _show(settings: Settings, done: stack.Up, checks: list[Check], states: dict[str, str]) -> bool:
    """Prints what went in and came out, and where to look next. Returns whether all of it agrees."""
    rows = [
        (c.stream, c.what, _number(c.expected), _number(c.found), "yes" if c.agrees else "NO") for c in checks
    ]
    table(("stream", "what", "in", "out", "agrees"), rows, title="What went in and what came out of it")
    red = [dag for dag, state in states.items() if state != "success"]
    for dag in red:
        say(f"{dag}: its run failed  -> ./caudal status, or {server.url(done.ports)}/dags/{dag}")
    say(f"Airflow: {server.url(done.ports)}  user {keys.USER}, password in {keys.password_file(settings)}")
    data = settings.layout.data
    say(f"output: {data / 'salida'}; what each folder is: {data / 'LEEME.txt'}")
    verbs = ("status", "sample facturas_ficheros", "consume notificaciones", "down")
    say(f"next: {'   '.join(f'./caudal {verb}' for verb in verbs)}")
    return not red and all(check.agrees for check in checks)


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the three runs.", min=1.0)] = 240.0,
) -> int:
    """Try everything once: set up, start, feed invoices, run the three streams in Airflow, and compare what
    came out with what went in."""
    setup.command(json=False)
    settings = configuration.load()
    done = _up(settings)
    with step("Invoices in"):
        fed = demo.feed(settings, time.time())
    for place in fed.places:
        say(f"  {place}")
    with step("Three streams in Airflow") as progress:
        states = demo.run(server.client(settings, done.ports), timeout, partial(_told, progress))
    checks = demo.compare(settings, fed)
    agrees = _show(settings, done, checks, states)
    say()
    with step("the newest rows", closing=False):
        show.command(demo.FILES_STREAM, rows=5, as_json=False)
    if as_json:
        json_line({"agrees": agrees, "states": states, "checks": [asdict(check) for check in checks]})
    return int(ExitCode.DONE if agrees else ExitCode.FAILED)
