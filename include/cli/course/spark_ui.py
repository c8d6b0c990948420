"""spark-ui: Spark's own pages of the labs, of those that run now and of those that have ended."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from typing import Annotated

import typer

from include import settings
from include.cli.terminal.console import json_line, say, step, table
from include.labs import history_server, launch
from include.launch.command import LOGGING
from jobs.contract.deadline import until


def command(
    running: Annotated[
        bool, typer.Option("--running", help="Only list the labs that run now, with the address of their UI.")
    ] = False,
    port: Annotated[
        int,
        typer.Option(
            "--port", min=0, max=65535, help="The History Server's port. 0: the last one, or a free one."
        ),
    ] = 0,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, help="End after so many seconds. 0: at Ctrl-C.")
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the addresses as one JSON object, on the last line.")
    ] = False,
) -> None:
    """Show Spark's pages of the labs until Ctrl-C: the address of each that runs now, and a History Server
    for those that have ended."""
    config = settings.load()
    now = launch.running(config)
    for name, address in now.items():
        say(f"{name} runs now: {address}")
    if running:
        if not now:
            say("no lab with Spark's UI runs now")
        if as_json:
            json_line({"running": now})
        return
    number = history_server.port(config, port)
    with ExitStack() as ending:
        with step("Spark's History Server"):
            server = ending.enter_context(
                history_server.serving(config, launch.events(config), number, LOGGING)
            )
            runs = server.applications()
        rows = [(run.name.removeprefix("lab-"), "yes" if run.ended else "runs", run.page) for run in runs]
        table(("lab", "ended", "page"), rows)
        say(f"{server.address}: Ctrl-C ends it; a page's tab Structured Streaming shows its queries")
        if as_json:
            applications = [asdict(run) for run in runs]
            json_line({"running": now, "history": server.address, "applications": applications})
        _wait(seconds)


def _wait(seconds: float) -> None:
    """Returns at Ctrl-C, or after `seconds` where they are not 0."""
    try:
        until(lambda: False, seconds or float("inf"), 0.2)
    except KeyboardInterrupt:
        say("")
