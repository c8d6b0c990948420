"""archive STREAM: moves files whose batch is committed from en_proceso to archivo."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from include import settings, streams
from include.cli.operate import _plan
from include.cli.terminal.console import step
from include.housekeeping.files import archive


def command(
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="A registered stream that reads files.")],
    min_age: Annotated[
        float,
        typer.Option(
            "--min-age", min=0, metavar="SECONDS", help="Only files admitted at least this long ago."
        ),
    ] = 0.0,
    apply: Annotated[
        bool, typer.Option("--apply", help="Carry out the plan; otherwise it is only printed.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="List every file of a long plan.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Archive the files of STREAM that Spark has committed. Every run does this too; restore brings files
    back."""
    config, row, now = settings.load(), streams.get(stream), datetime.now(UTC)
    with step(
        f"archive of {stream}: proving what is committed{', then moving it' if apply else ''}", aside=True
    ):
        made = archive.sweep(config, row, now, min_age) if apply else archive.plan(config, row, now, min_age)
    done = apply and bool(made.steps)
    _plan.show(made, done=done, every=every)
    if as_json:
        _plan.show_json(made, done=done)
    if error := archive.changed(made):
        raise error
