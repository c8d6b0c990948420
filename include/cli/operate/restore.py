"""restore STREAM: brings archived files back to en_proceso, byte for byte, under their exact names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from include import settings, streams
from include.cli.operate import _plan
from include.cli.terminal.console import step
from include.housekeeping.files import restore


def command(
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="A registered stream that reads files.")],
    file: Annotated[
        str, typer.Option("--file", metavar="NAME", help="Name as delivered, or admitted name.")
    ] = "",
    date: Annotated[
        str, typer.Option("--date", metavar="YYYY-MM-DD", help="Every file admitted on this UTC day.")
    ] = "",
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch", min=0, metavar="N", help="Every file of this batch of the current generation."
        ),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Carry out the plan; otherwise it is only printed.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="List every file of a long plan.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Bring archived files of STREAM back to en_proceso. Never overwrites. Refused if records would be
    published twice."""
    asked = restore.Asked(file, date, batch)
    config, row, now = settings.load(), streams.get(stream), datetime.now(UTC)
    with step(f"restore of {stream}", aside=True):
        made = restore.plan(config, row, now, asked)
        if apply:
            restore.apply(config, row, made, now, asked)
    _plan.show(made, done=apply, every=every)
    if as_json:
        _plan.show_json(made, done=apply)
