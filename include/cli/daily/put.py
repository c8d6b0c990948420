"""put STREAM FILE…: files into a stream's entrada."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from include import settings, streams
from include.cli.terminal.console import json_line, say, step
from include.samples import put


def command(
    stream: Annotated[str, typer.Argument(help="A stream that reads files.")],
    files: Annotated[
        list[Path], typer.Argument(help="Regular files of one record a line.", metavar="FILE...")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Copy files into entrada of STREAM, each whole or not at all; a name that is taken gets a suffix. Nothing is copied if one of them is unfit."""
    config, row = settings.load(), streams.get(stream)
    with step(f"{len(files)} files for {stream}", aside=True) as progress:
        for file in files:
            put.check(row, file)
        done = []
        for file in files:
            progress.update(file.name)
            done.append(put.file(config, row, file))
    for one in done:
        why = f"the name {one.wished} was taken, hidden, or that of a delivery under way"
        note = f"  ({why})" if one.renamed else ""
        say(f"put {one.path}  {one.size_bytes} bytes{note}")
    if as_json:
        json_line(
            {
                "stream": stream,
                "files": [
                    {"path": one.path, "wished": one.wished, "size_bytes": one.size_bytes} for one in done
                ],
            }
        )
