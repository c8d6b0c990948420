"""`./caudal down`"""

from __future__ import annotations

from typing import Annotated

import typer

from include import settings
from include.cli.terminal.console import json_line, say, step
from include.services import stack


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Stop broker and Airflow of this home, and what a crash left of them. Data stays."""
    loaded = settings.load()
    with step("Stopping"):
        stopped = stack.down(loaded)
    say(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")
    if as_json:
        json_line({"stopped": stopped})
