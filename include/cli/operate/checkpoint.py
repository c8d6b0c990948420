"""checkpoint show STREAM: explains a stream's checkpoint."""

from __future__ import annotations

import typer

from include.cli.operate._checkpoint import show

APP = typer.Typer(help="Look into a stream's checkpoint.")


@APP.callback()
def group() -> None:
    """Look into a stream's checkpoint."""


APP.command(name="show")(show)
