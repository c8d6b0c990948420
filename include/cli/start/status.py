"""`./caudal status`"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from include import settings
from include.cli.start import _services
from include.cli.terminal.console import json_line, say, step, table
from include.services import overview, stack
from include.services.airflow import keys, server
from include.services.overview import StreamRow

_COLUMNS = (
    "stream",
    "last run",
    "started UTC",
    "last data UTC",
    "in",
    "out",
    "quarantined",
    "DAG",
    "schedule",
    "from",
    "to",
)
_LEAST = ("to", "from", "schedule", "started UTC", "DAG")


def _cells(row: StreamRow) -> tuple[object, ...]:
    """One row. The counts are those of the last run that read something: a schedule's empty runs tell
    nothing."""
    data = row.with_data
    counts = (
        (_minute(data.started), data.records_in, data.rows_out, data.quarantined)
        if data
        else ("-", "-", "-", "-")
    )
    return row.name, row.last, _minute(row.started), *counts, row.dag, row.schedule, row.source, row.sink


def _minute(started: str) -> str:
    return started[:16].replace("T", " ") or "-"


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
    show_password: Annotated[
        bool, typer.Option("--show-password", help="Also print the password of Airflow's user admin.")
    ] = False,
) -> None:
    """Show the services (process, port, health), and each stream with its newest run and the last run that
    read something. Changes nothing."""
    loaded = settings.load()
    with step("asking services and Airflow", aside=True):
        services = stack.rows(loaded)
        up = any(row.name == server.API and row.state == "healthy" for row in services)
        rows, broken = overview.of_streams(loaded, up)
    say(f"home {loaded.home}")
    _services.show(loaded, services)
    say()
    table(_COLUMNS, [_cells(row) for row in rows], least=_LEAST)
    for line in [f"{row.name}: {row.error}" for row in rows if row.error] + broken:
        say(line)
    if show_password:
        say(f"password: {keys.password(loaded)}")
    if as_json:
        found = {
            "home": loaded.home,
            "services": [asdict(row) for row in services],
            "streams": [asdict(row) for row in rows],
            "broken": broken,
        }
        json_line({**found, "password_file": keys.password_file(loaded)})
