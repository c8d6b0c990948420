"""quarantine list|show|reprocess|discard|accept: shows what was refused and decides about it. The last three
change nothing without --apply."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Annotated, Any

import typer

from include import settings, streams
from include.account import quarantine as account
from include.account.quarantine import Shown
from include.cli.operate import _plan
from include.cli.terminal.console import json_line, say, step, table
from include.housekeeping import apply as housekeeping
from include.housekeeping.plan import Plan
from include.housekeeping.refused import decide as deciding
from include.settings import Settings
from jobs.contract.errors import UsageError
from jobs.contract.stream import Stream

APP = typer.Typer(help="Records and files that were refused.")
Name = Annotated[str, typer.Argument(metavar="STREAM", help="A registered stream.")]
Apply = Annotated[bool, typer.Option("--apply", help="Carry out the plan; otherwise it is only printed.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
Reasons = Annotated[
    list[str] | None,
    typer.Option("--reason", metavar="CODE", help="Only with this reason; may be given several times."),
]
Since = Annotated[
    str,
    typer.Option(
        "--since",
        metavar="TIME",
        help="Only what was refused at or after 2026-11-24 or 2026-11-24T08:00 (UTC).",
    ),
]
Batch = Annotated[
    int | None,
    typer.Option("--batch", min=0, metavar="K", help="Only from this batch of the current generation."),
]
Files = Annotated[bool, typer.Option("--files", help="Refused files instead of refused records.")]
_SHOWN_BYTES = 300  # more of a record's text would not be read on a terminal


@APP.command(name="list")
def list_(
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="A registered stream.")] = "",
    every: Annotated[bool, typer.Option("--all", help="All streams.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what is refused, by batch and reason, and what was decided about it."""
    if bool(stream) == every:
        raise UsageError("a stream, or --all", "quarantine list", cli="./caudal quarantine list --all")
    layout = settings.load().layout
    chosen = list(streams.collect()[0].values()) if every else [streams.get(stream)]
    with step("reading what is refused", aside=True):
        groups = {row.name: account.groups(layout, row.name) for row in chosen}
        files = {row.name: account.files(layout, row) for row in chosen}
    rows = [
        (name, g.generation, g.batch, g.reason, g.records, g.state, g.at[:19])
        for name, of in groups.items()
        for g in of
    ]
    table(
        ("stream", "generation", "batch", "reason", "records", "state", "refused"),
        rows,
        least=("refused", "generation"),
    )
    if any(files.values()):
        cells = [
            (name, f.path.name, f.code, f.size_bytes, f.at[:19])
            for name, found in files.items()
            for f in found
        ]
        table(("stream", "file", "code", "bytes", "refused"), cells, least=("refused", "bytes"))
    if as_json:
        answer = {
            n: {"records": [asdict(g) for g in groups[n]], "files": [asdict(f) for f in files[n]]}
            for n in groups
        }
        json_line({"streams": answer})


@APP.command()
def show(
    stream: Name,
    batch: Annotated[
        int | None, typer.Option("--batch", min=0, metavar="K", help="Only of this batch.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="CODE", help="Only of this reason.")] = "",
    file: Annotated[
        str,
        typer.Option(
            "--file",
            metavar="NAME",
            help="Only from this file (name as delivered or admitted), or a refused file.",
        ),
    ] = "",
    most: Annotated[int, typer.Option("--max", min=1, help="Stop after so many.")] = 20,
    raw: Annotated[
        bool, typer.Option("--raw", help="Print only the exact bytes of all records, one per line.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show refused records: their origin, the reason and their text. With a file's name: also refused files
    of that name."""
    layout, row = settings.load().layout, streams.get(stream)
    found = account.show(layout, row, account.Asked(batch, reason, file))
    if raw:
        for shown in found:
            sys.stdout.buffer.write((shown.record.raw or b"") + b"\n")
        sys.stdout.buffer.flush()
        return
    with step("reading what is refused", aside=True):
        chosen = list(islice(found, most))
    files = [f for f in account.files(layout, row) if file and file in (f.original_name, f.path.name)]
    for shown in chosen:
        _say(shown)
    for one in files:
        say(
            f"file {one.path.name}: {one.reason}; {one.size_bytes:,} bytes, refused {one.at[:19]}: {one.path}"
        )
    if not chosen and not files:
        for sentence in account.unmet(layout, row, [reason] if reason else [], batch, file):
            say(sentence)
        say("no refused records match")
    if as_json:
        json_line(
            {"stream": stream, "records": [_plain(s) for s in chosen], "files": [asdict(f) for f in files]}
        )


def _say(shown: Shown) -> None:
    record = shown.record
    what = f"{record.reason} {record.message}".strip()
    again = f", reprocessed from {shown.reprocessed_from}" if shown.reprocessed_from else ""
    say(
        f"{_origin(shown)}: {what} "
        f"({shown.state}; batch {shown.batch} of generation {shown.generation}, run {record.run_id}{again})"
    )
    text = "null" if record.raw is None else record.raw[:_SHOWN_BYTES].decode("utf-8", "backslashreplace")
    say(f"  {text}{' …' if record.raw and len(record.raw) > _SHOWN_BYTES else ''}")


def _origin(shown: Shown) -> str:
    if not shown.file:
        return shown.record.origin
    return f"{shown.file}, line {shown.line if shown.line is not None else 'unknown'}"


def _plain(shown: Shown) -> dict[str, Any]:
    """`raw` as text, or `raw_base64` if the bytes are not UTF-8."""
    values = asdict(shown)
    raw = values["record"].pop("raw")
    try:
        values["record"]["raw"] = None if raw is None else raw.decode()
    except UnicodeDecodeError:
        values["record"]["raw_base64"] = base64.b64encode(raw).decode()
    return values


@APP.command()
def reprocess(
    stream: Name,
    reason: Reasons = None,
    since: Since = "",
    batch: Batch = None,
    files: Files = False,
    apply: Apply = False,
    as_json: AsJson = False,
) -> None:
    """Deliver refused records of a file stream again, exactly as they came, each at most once; or move
    refused files back to entrada."""
    row, asked = streams.get(stream), _asked(reason, since, batch, files)
    _do(row, lambda config, now: deciding.plan(config, row, now, "reprocess", asked), apply, as_json, asked)


@APP.command()
def discard(
    stream: Name,
    reason: Reasons = None,
    since: Since = "",
    batch: Batch = None,
    files: Files = False,
    apply: Apply = False,
    as_json: AsJson = False,
) -> None:
    """Mark refused records as decided; they stay in place. Refused files go to retirado until they are
    purged."""
    row, asked = streams.get(stream), _asked(reason, since, batch, files)
    _do(row, lambda config, now: deciding.plan(config, row, now, "discard", asked), apply, as_json, asked)


@APP.command()
def accept(
    stream: Name,
    batch: Annotated[int, typer.Option("--batch", min=0, metavar="K", help="The batch that is held.")],
    apply: Apply = False,
    as_json: AsJson = False,
) -> None:
    """Let the next run publish a batch that is held because too many of its records are refused."""
    row = streams.get(stream)
    _do(row, lambda config, now: deciding.accept(config, row, now, batch), apply, as_json)


def _asked(reasons: list[str] | None, since: str, batch: int | None, files: bool) -> deciding.Asked:
    return deciding.Asked(tuple(reasons or ()), deciding.time(since), batch, files)


def _do(
    row: Stream,
    planner: Callable[[Settings, datetime], Plan],
    apply: bool,
    as_json: bool,
    asked: deciding.Asked | None = None,
) -> None:
    config, now = settings.load(), datetime.now(UTC)
    with step("planning", aside=True):
        plan = planner(config, now)
    done = apply and bool(plan.steps)
    if done:
        with step(f"{plan.kind} of {plan.stream}: {len(plan.steps):,} steps", aside=True):
            housekeeping.apply(config, plan, partial(planner, config, now), now)
    for sentence in account.unmet(config.layout, row, asked.reasons, asked.batch) if asked else ():
        say(sentence)
    _plan.show(plan, done=done)
    if as_json:
        _plan.show_json(plan, done=done)
