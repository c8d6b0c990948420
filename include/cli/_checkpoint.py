"""`checkpoint show STREAM`, also as `checkpoint-show STREAM`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from include import settings, streams
from include.account import checkpoints
from include.cli._console import json_line, say, table
from jobs.contract.errors import ExitCode


def show(
    stream: Annotated[str, typer.Argument(help="A registered stream.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object as the last line.")] = False,
) -> int:
    """Explain STREAM's checkpoint: planned, committed, published, what runs next. Changes nothing; exit 65 when a run would be refused."""
    found = checkpoints.explain(settings.load().layout, streams.get(stream))
    if as_json:
        json_line(asdict(found))
    else:
        _print(found)
    return int(ExitCode.DONE if found.sound else ExitCode.DATA)


def _print(found: checkpoints.Explained) -> None:
    say(f"{found.stream}, generation {found.generation}: {found.folder}")
    say(f"query id {found.query_id or '(none yet)'}")
    say(f"newest batch planned: {_or_none(found.newest_offset)}, committed: {_or_none(found.newest_commit)}; published in all: {found.published}")
    say(f"source log: {found.log_files} files, {found.log_bytes:,} bytes")
    if found.watermark_ms:
        say(f"watermark {datetime.fromtimestamp(found.watermark_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC")
    if found.batches:
        rows = [(b.number, b.end, _yes(b.committed), _yes(b.published), _or_dash(b.records_in), _or_dash(b.rows_out)) for b in found.batches]
        table(("batch", "source position at its end", "committed", "published", "records in", "rows out"), rows)
    say(f"next: {found.next_step}")


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _or_none(batch: int) -> str:
    return "none" if batch < 0 else str(batch)


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)
