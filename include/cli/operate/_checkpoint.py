"""Prints a checkpoint, for `checkpoint show STREAM` and `checkpoint-show STREAM`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from include import settings, streams
from include.account import checkpoints
from include.cli.terminal.console import json_line, say, step, table
from include.launch import plan
from include.launch.waiting import Waiting
from include.settings import Settings
from jobs.contract.errors import CaudalError, ExitCode
from jobs.contract.stream import Stream


def show(
    stream: Annotated[str, typer.Argument(help="A registered stream.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> int:
    """Explain STREAM's checkpoint: what is planned, committed and published, its growth, and what runs next.
    Changes nothing. Exit 65 if a run would be refused."""
    config, row = settings.load(), streams.get(stream)
    with step(f"checkpoint of {stream}", aside=True):
        explained = checkpoints.explain(config.layout, row, datetime.now(UTC))
        waiting = _waiting(config, row) if explained.sound else None
    for line in _head(explained, row):
        say(line)
    if explained.batches:
        columns = ("batch", "source read up to", "committed", "published", "records in", "rows out")
        table(columns, [_cells(batch) for batch in explained.batches])
    say(f"next:       {explained.next_step}")
    if waiting is not None:
        say(f"waiting:    {_waiting_words(waiting, row)}")
    if as_json:
        json_line({**asdict(explained), "waiting": asdict(waiting) if isinstance(waiting, Waiting) else None})
    return int(ExitCode.DONE if explained.sound else ExitCode.DATA)


def _waiting(config: Settings, stream: Stream) -> Waiting | CaudalError:
    try:
        return plan.look(
            config.layout, stream, checkpoints.current(config.layout, stream), plan.positions(config, stream)
        )
    except CaudalError as error:  # the broker may be down: the rest is still worth reading
        error.name_stream(stream.name)
        return error


def _head(found: checkpoints.Explained, stream: Stream) -> Iterator[str]:
    grown, limits = found.growth, stream.upkeep
    yield f"{found.stream}, generation {found.generation}, made {found.created[:19].replace('T', ' ')} UTC"
    yield f"folder:     {found.folder}"
    yield f"query id:   {found.query_id or '(none yet)'}"
    yield f"planned:    {_batch_or_none(found.newest_offset)}"
    yield f"committed:  {_batch_or_none(found.newest_commit)}"
    yield f"published:  {found.published:,} batches in this generation"
    yield f"watermark:  {_watermark(found.watermark_ms)}"
    state = f"{grown.state_files:,} files, {grown.state_bytes:,} bytes" if grown.state_files else "none"
    yield f"state:      {state}"
    if stream.folder or stream.upstream:
        log = f"{grown.log_files:,} of {limits.log_files:,} files"
        yield f"source log: {log}, {grown.log_bytes:,} of {limits.log_bytes:,} bytes"
    yield f"batches:    {grown.batches:,} of {limits.batches:,}"
    yield f"cleaning:   {_cleaning(found)}"


def _cleaning(found: checkpoints.Explained) -> str:
    if found.outgrown:
        return f"the next one begins a new generation: {'; '.join(found.outgrown)}"
    left = (
        ""
        if found.days_left is None
        else f"; at the present pace it begins a new one in about {found.days_left:,.0f} days"
    )
    return f"the next one keeps this generation{left}"


def _cells(batch: checkpoints.Batch) -> tuple[str, ...]:
    end = checkpoints.position_words(json.loads(batch.end))
    return (
        str(batch.number),
        end,
        _yes(batch.committed),
        _yes(batch.published),
        _or_dash(batch.records_in),
        _or_dash(batch.rows_out),
    )


def _waiting_words(waiting: Waiting | CaudalError, stream: Stream) -> str:
    if isinstance(waiting, CaudalError):
        return f"not known: {waiting}"
    if stream.folder:
        return f"{waiting.files:,} files, {waiting.size_bytes:,} bytes in en_proceso, without entrada"
    if stream.upstream:
        return f"{waiting.records:,} records in {waiting.files:,} files that {stream.upstream} has published"
    return f"{waiting.records:,} records on {', '.join(t.name for t in stream.topics[:1])}"


def _watermark(watermark_ms: int) -> str:
    return (
        f"{datetime.fromtimestamp(watermark_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
        if watermark_ms
        else "none"
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _batch_or_none(batch: int) -> str:
    return "nothing yet" if batch < 0 else f"up to batch {batch:,}"


def _or_dash(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
