"""`./caudal up`"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from include import settings
from include.cli.start import _services
from include.cli.terminal.console import json_line, say, step
from include.services import stack


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait until everything is healthy.", min=1.0)
    ] = stack.UP_S,
) -> None:
    """Start the broker and Airflow of this home in the background, and create the topics that streams
    declare. Returns when both are healthy and Airflow has run one small task. Safe to call again."""
    loaded = settings.load()
    with step("Broker and Airflow") as progress:
        done = stack.up(loaded, progress.update, timeout)
    for note in done.notes:
        say(f"note: {note}")
    _services.show(loaded, done.rows)
    say(f"{'started' if done.started else 'already running'}; {done.proof}")
    if as_json:
        json_line(
            {
                "started": done.started,
                "notes": done.notes,
                "proof": asdict(done.proof),
                "services": [asdict(row) for row in done.rows],
            }
        )
