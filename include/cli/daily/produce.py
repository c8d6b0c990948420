"""produce TOPIC: sends records from a file or stdin, one per line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from include import settings
from include.cli.terminal.console import json_line, say
from include.intake import content, names
from include.kafka import produce
from jobs.contract.errors import UsageError
from jobs.contract.text import lines


def command(
    topic: Annotated[str, typer.Argument(help="A topic that exists; ./caudal topics list shows them.")],
    file: Annotated[
        Path | None, typer.Option(help="One record per line; .gz and .bz2 are unpacked. Default: stdin.")
    ] = None,
    key_field: Annotated[
        str, typer.Option(help="Field of the JSON record to use as its key; default: no key.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Send records to TOPIC, one per line, without blank lines. Returns when the broker has acknowledged all
    of them."""
    done = produce.produce(settings.load(), topic, produce.messages(_rows(file, topic), key_field))
    say(f"{done.records} records to {topic} in {done.duration_s:.1f} s")
    if as_json:
        json_line(asdict(done))


def _rows(file: Path | None, topic: str) -> Iterator[bytes]:
    """The lines of a file (unpacked, if its name says so) or of stdin, after a check of what they are. Raises
    UsageError."""
    rows = _read(file)
    first = next(rows, b"")
    if kind := names.magic(first[:512]) or content.encoding(first):
        fix = f"unpack it (zcat FILE | ./caudal produce {topic}), or convert it (iconv -t UTF-8)"
        raise UsageError(f"the content is {kind}, not lines of UTF-8 text", file or "stdin", cli=fix)
    yield first
    yield from rows


def _read(file: Path | None) -> Iterator[bytes]:
    try:
        if file is None:
            yield from sys.stdin.buffer
        else:
            with lines.opened(file) as text:
                yield from text
    except lines.UNREADABLE as error:
        why = (error.strerror if isinstance(error, OSError) else "") or str(error)
        raise UsageError(
            f"the file cannot be read: {why.lower()}",
            file or "stdin",
            cli="check path, permissions and content",
        ) from None
