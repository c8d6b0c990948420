"""notebook: the course's notebooks in JupyterLab, or one of them from start to end."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from include import settings
from include.cli.terminal.console import json_line, say, step, table
from include.labs import notebook


def command(
    execute: Annotated[
        list[str] | None,
        typer.Option("--execute", metavar="NAME", help="Run it from start to end instead. May be repeated."),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Only list them.")] = False,
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65535, help="JupyterLab's port. 0: the last one, or a free one."),
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> int:
    """Open the course's notebooks in JupyterLab on 127.0.0.1, until Ctrl-C. You work on copies, in the folder
    cuadernos of the home."""
    config = settings.load()
    if listed:
        return _list(config, as_json)
    if execute:
        chosen = [notebook.get(config, name) for name in execute]
        code = notebook.execute(config, chosen)
        if as_json:
            names, folder = [book.name for book in chosen], str(config.home / "cuadernos" / "ejecutados")
            json_line({"executed": names, "folder": folder, "exit_code": code})
        return code
    return _serve(config, port, as_json)


def _list(config: settings.Settings, as_json: bool) -> int:
    books = notebook.collect(config).values()
    rows = [(book.name, book.title, "Kafka" if book.broker else "") for book in books]
    table(("notebook", "what", "needs"), rows)
    if as_json:
        entries = [{"name": book.name, "title": book.title, "broker": book.broker} for book in books]
        json_line({"notebooks": entries})
    return 0


def _serve(config: settings.Settings, port: int, as_json: bool) -> int:
    server = notebook.start(config, port)
    try:
        for name in server.renewed:
            say(f"{name}: its imports now name the modules at their new places; nothing else was changed")
        with step("JupyterLab"):
            server.ready()
        terminal = sys.stdout.isatty()
        say(f"{server.secret_address if terminal else server.address}   Ctrl-C ends it")
        if not terminal:
            say(f"its token is in {server.config} (mode 0600)")  # a log must not hold it
        if as_json:
            json_line({"address": server.address, "token_file": str(server.config)})
        server.wait()
    except KeyboardInterrupt:
        say("")
    finally:
        server.stop()
    return 0
