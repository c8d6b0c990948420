"""where FILE: says in which folder a file is now, and what happened to it."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from include import settings, streams
from include.account import where
from include.cli.terminal import console
from jobs.contract.errors import ExitCode


def command(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="Name as delivered, admitted name, path, or a local copy (found by its content).",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> int:
    """Tell where a file is now (waiting, being read, archived or refused), with its number, time, records and
    reason."""
    with console.step(f"looking for {file}", aside=True):
        places = where.find(settings.load().layout, streams.collect()[0].values(), where.question(file))
    if not places and not as_json:
        console.say(f"{file}: no stream of this home has seen it; {_way_out(file)}")
    for one in places:
        console.say(f"{one.original_name}: {one.place} ({one.meaning})")
        for title, value in _details(one):
            console.say(f"  {title:<10}{value}")
    if as_json:
        console.json_line(
            {"file": file, "found": [{**asdict(one), "meaning": one.meaning} for one in places]}
        )
    return int(ExitCode.DONE if places else ExitCode.FAILED)


def _way_out(file: str) -> str:
    if Path(file).is_file():
        return f"./caudal put STREAM {shlex.quote(file)} delivers it"
    return "and there is no such file here: give its name as delivered, or the path of a copy"


def _details(one: where.Found) -> list[tuple[str, object]]:
    """Title and value of what is known about the file."""
    admitted = (
        f"{one.admitted_at}, number {one.sequence} of this folder, {one.records} records that are not blank"
    )
    known = {
        "stream": one.stream,
        "path": one.path,
        "admitted": admitted if one.sequence else "",
        "name": one.name,
        "reason": one.reason,
    }
    known["sha256"] = one.content_hash
    return [(title, value) for title, value in known.items() if value]
