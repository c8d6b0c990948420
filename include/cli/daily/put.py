"""put STREAM FILE…: copies files into a stream's entrada."""

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
        list[Path], typer.Argument(help="Regular files with one record per line.", metavar="FILE...")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Copy files into entrada of STREAM, each whole or not at all. If a name is taken, the copy gets a
    suffix. If one file is unfit, nothing is copied."""
    config, row = settings.load(), streams.get(stream)
    with step(f"{len(files)} files for {stream}", aside=True) as progress:
        for file in files:
            put.check(row, file)
        done = []
        for file in files:
            progress.update(file.name)
            done.append(put.file(config, row, file))
    for one in done:
        why = f"the name {one.wished} is taken, hidden, or used by a delivery under way"
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
