"""Prints the services, for up, status and demo."""

from __future__ import annotations

from collections.abc import Sequence

from include.cli.terminal.console import say, table
from include.services import ports
from include.services.airflow import keys, server
from include.services.stack import Row
from include.settings import Settings


def _line(row: Row) -> tuple[str, ...]:
    died = f"{row.state} (died {row.deaths} times)" if row.deaths else row.state
    return row.name, died, str(row.pid or "-"), " ".join(map(str, row.ports)) or "-", row.url or "-"


def show(settings: Settings, rows: Sequence[Row]) -> None:
    """The table of services, then where to log in and which log to read."""
    table(("service", "state", "pid", "port", "address"), [_line(row) for row in rows], least=("pid", "port"))
    for row in rows:
        if row.state in ("gave-up", "dead", "waiting") and row.log:
            say(f"{row.name}: read {row.log}")
    chosen = ports.remembered(settings)
    if chosen and any(row.name == server.API and row.pid for row in rows):
        say(f"Airflow: {server.url(chosen)}  user {keys.USER}, password in {keys.password_file(settings)}")
