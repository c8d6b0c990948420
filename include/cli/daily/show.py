"""show STREAM: prints the newest rows that a stream has published."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from include import settings, streams
from include.account import published
from include.account.published import Summary
from include.cli.terminal.console import json_line, say, step, table
from include.kafka import consume
from include.samples import feed
from include.settings import Settings
from jobs.contract.run.report import Report
from jobs.contract.stream import Stream, Topic


def command(
    stream: Annotated[str, typer.Argument(help="A registered stream; ./caudal status lists them.")],
    rows: Annotated[int, typer.Option(help="How many rows or messages.", min=1, max=10_000)] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Show the newest rows of STREAM's output, or the last messages of its topic, with counts and the newest
    run."""
    config, row = settings.load(), streams.get(stream)
    with step(f"reading what {stream} has published", aside=True):
        found, counts = _newest(config, row, rows), published.summary(config, row)
    if found:
        columns = _columns(config, row, found)
        table(columns, [["" if one.get(c) is None else one[c] for c in columns] for one in found])
    for line in _words(row, counts, len(found)):
        say(line)
    if as_json:
        totals = {
            "batches": counts.batches,
            "records_in": counts.records_in,
            "rows": counts.rows,
            "quarantined": counts.quarantined,
        }
        json_line(
            {
                "stream": stream,
                **totals,
                "run": json.loads(counts.run.to_json()) if counts.run else None,
                "newest": found,
            }
        )


def _newest(config: Settings, row: Stream, rows: int) -> list[dict[str, Any]]:
    if isinstance(row.sink, Topic):
        return [_message(row.sink, record) for record in consume.tail(config, row.sink.name, rows)]
    return published.newest_rows(config, row, rows)


def _columns(config: Settings, row: Stream, found: list[dict[str, Any]]) -> list[str]:
    """The columns of all rows, in the order of the sink: JSON leaves out nulls, so a single row may lack
    some."""
    there = {name for one in found for name in one}
    told = (
        [name for name in published.columns(config, row) if name != row.sink.key]
        if isinstance(row.sink, Topic)
        else []
    )
    return [name for name in published.merged([*map(tuple, found), told]) if name in there]


def _message(topic: Topic, record: consume.ConsumerRecord) -> dict[str, Any]:
    """The key, then the fields of the value if it is a JSON object, or else its text."""
    key, text = ((data or b"").decode("utf-8", "backslashreplace") for data in (record.key, record.value))
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    return {topic.key or "key": key, **(value if isinstance(value, dict) else {"value": text})}


def _words(row: Stream, counts: Summary, shown: int) -> list[str]:
    if not counts.batches and not shown:
        return [
            f"{row.name} has published nothing yet  -> {', then '.join(feed.commands(row))}",
            *_runs(counts),
        ]
    read = f"{counts.batches} batches, {counts.records_in} records in"
    totals = f"{read}, {counts.rows} rows out, {counts.quarantined} quarantined"
    return [f"{row.name}: {totals}; {row.guarantee}", *_runs(counts)]


def _runs(counts: Summary) -> list[str]:
    """The newest run; and the newest that read something, if that is an earlier one."""
    if counts.run is None:
        return ["no run yet"]
    data = counts.with_data
    earlier = [_run("newest run with data", data)] if data and data.run_id != counts.run.run_id else []
    return [_run("newest run", counts.run), *earlier]


def _run(which: str, run: Report) -> str:
    why = f": {run.error.get('what', '')}" if run.error else ""
    counts = f"{run.records_in} records in, {run.rows_out} rows out"
    return f"{which} {run.run_id}: {run.status}{why}, {counts}, {run.duration_s:.1f} s"
