"""produce TOPIC: records from a file or stdin, one a line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from include import settings
from include.cli._console import json_line, say
from include.kafka import produce
from jobs.contract.errors import UsageError


def command(
    topic: Annotated[str, typer.Argument(help="A topic that exists; ./caudal topics list shows them.")],
    file: Annotated[Path | None, typer.Option(help="One record a line; default: stdin.")] = None,
    key_field: Annotated[str, typer.Option(help="Field of the JSON record that becomes its key; default: no key.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Send records to TOPIC, one a line; blank lines are left out. Returns when the broker has acknowledged every one."""
    with _lines(file) as lines:
        done = produce.produce(settings.load(), topic, produce.messages(lines, key_field))
    say(f"{done.records} records to {topic} in {done.duration_s:.1f} s")
    if as_json:
        json_line(asdict(done))


@contextmanager
def _lines(file: Path | None) -> Iterator[BinaryIO]:
    if file is None:
        yield sys.stdin.buffer
        return
    try:
        with file.open("rb") as lines:
            yield lines
    except OSError as error:
        raise UsageError(f"the file cannot be read: {(error.strerror or 'error').lower()}", file, cli="check path and permissions") from None
