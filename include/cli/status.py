"""`./caudal status`"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from include import settings
from include.cli import _services
from include.cli._console import json_line, say, table
from include.services import airflow, keys, overview, stack
from include.services.overview import StreamRow

_COLUMNS = ("stream", "from", "to", "schedule", "DAG", "last run", "started", "in", "out", "quarantined")


def _cells(row: StreamRow) -> tuple[object, ...]:
    counts = (row.records_in, row.rows_out, row.quarantined) if row.started else ("-", "-", "-")
    return row.name, row.source, row.sink, row.schedule, row.dag, row.last, row.started or "-", *counts


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
    show_password: Annotated[bool, typer.Option("--show-password", help="Also print the password of Airflow's user admin.")] = False,
) -> None:
    """Show the services (process, port, health), and each stream with its schedule and newest run. Changes nothing."""
    loaded = settings.load()
    services = stack.rows(loaded)
    up = any(row.name == airflow.API and row.state == "healthy" for row in services)
    rows, broken = overview.of_streams(loaded, up)
    say(f"home {loaded.home}")
    _services.show(loaded, services)
    say()
    table(_COLUMNS, [_cells(row) for row in rows])
    for line in [f"{row.name}: {row.error}" for row in rows if row.error] + broken:
        say(line)
    if show_password:
        say(f"password: {keys.password(loaded)}")
    if as_json:
        found = {"home": loaded.home, "services": [asdict(row) for row in services], "streams": [asdict(row) for row in rows], "broken": broken}
        json_line({**found, "password_file": keys.password_file(loaded)})
