"""generation list|rollover|reset|rewind|retire|undo|purge STREAM. Every verb but list prints its plan, and
changes nothing without --apply."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from include import settings, streams
from include.account import generation_summaries
from include.cli.terminal.console import json_line, say, step, table
from include.housekeeping import apply as housekeeping
from include.housekeeping.generations import purge as purges
from include.housekeeping.generations import reset as resets
from include.housekeeping.generations import retire as retirements
from include.housekeeping.generations import rewind as rewinds
from include.housekeeping.generations import rollover as rollovers
from include.housekeeping.generations import undo as undos
from include.housekeeping.plan import COLUMNS, SHOWN, Plan, listed
from include.settings import Settings
from jobs.contract.disk.layout import is_name
from jobs.contract.errors import ExitCode, Refused, UnknownStream
from jobs.contract.stream import Upkeep

APP = typer.Typer(help="A stream's generations: a checkpoint and the output that belongs to it.")
Name = Annotated[str, typer.Argument(metavar="STREAM", help="A registered stream.")]
Apply = Annotated[bool, typer.Option("--apply", help="Carry out the plan; otherwise it is only printed.")]
Every = Annotated[bool, typer.Option("--all", help="List every step of a long plan.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
Repeats = Annotated[bool, typer.Option("--allow-repeats", help="A stream into a topic: send messages again.")]
Planner = Callable[[Settings, datetime], Plan]


@APP.command(name="list")
def list_(stream: Name, as_json: AsJson = False) -> None:
    """List STREAM's generations: the current one, those that readers see, those that were retired."""
    with step(f"generations of {stream}", aside=True):
        summaries = generation_summaries.all_of(settings.load().layout, _known(stream))
    rows = [
        (g.number, g.state, g.created[:19], g.start, g.batches, g.rows, "yes" if g.checkpoint else "no")
        for g in summaries
    ]
    table(("generation", "state", "begun", "start", "batches", "rows", "checkpoint"), rows)
    if as_json:
        json_line({"stream": stream, "generations": [asdict(g) for g in summaries]})


@APP.command()
def rollover(
    stream: Name,
    apply: Apply = False,
    every: Every = False,
    as_json: AsJson = False,
    drop_state: Annotated[
        bool, typer.Option("--drop-state", help="A stateful stream: begin without its state.")
    ] = False,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Continue after Kafka offsets that are lost.")
    ] = False,
) -> int:
    """Begin a new checkpoint where the old one ended. The output stays, and readers see old and new."""
    row = streams.get(stream)
    return _do(
        lambda config, now: rollovers.plan(config, row, now, drop_state=drop_state, accept_loss=accept_loss),
        apply,
        every,
        as_json,
    )


@APP.command()
def reset(
    stream: Name,
    apply: Apply = False,
    every: Every = False,
    as_json: AsJson = False,
    allow_repeats: Repeats = False,
) -> int:
    """Start STREAM from the beginning: all its output is retired, and its archived files come back."""
    row = streams.get(stream)
    return _do(
        lambda config, now: resets.plan(config, row, now, allow_repeats=allow_repeats), apply, every, as_json
    )


@APP.command()
def rewind(
    stream: Name,
    to_batch: Annotated[
        int, typer.Option("--to-batch", min=-1, help="The last batch that stays; -1 for none.")
    ],
    apply: Apply = False,
    every: Every = False,
    as_json: AsJson = False,
    allow_repeats: Repeats = False,
) -> int:
    """Take back the batches after K. The next run reads their input again."""
    row = streams.get(stream)
    return _do(
        lambda config, now: rewinds.plan(config, row, now, to_batch=to_batch, allow_repeats=allow_repeats),
        apply,
        every,
        as_json,
    )


@APP.command()
def retire(
    stream: Name,
    apply: Apply = False,
    every: Every = False,
    as_json: AsJson = False,
    generation: Annotated[
        int | None, typer.Option("--generation", min=1, help="A generation that was rolled over.")
    ] = None,
    gone: Annotated[
        bool, typer.Option("--gone", help="STREAM is no longer registered: retire its checkpoints.")
    ] = False,
    output: Annotated[
        bool, typer.Option("--output", help="With --gone: also its output and quarantine.")
    ] = False,
) -> int:
    """Hide an old generation from readers."""
    if gone:
        name = _gone(stream)
        return _do(
            lambda config, now: retirements.plan_gone(config, name, now, output=output), apply, every, as_json
        )
    if generation is None:
        raise Refused("which generation?", stream, cli=f"--generation N; ./caudal generation list {stream}")
    row = streams.get(stream)
    return _do(
        lambda config, now: retirements.plan(config, row, now, generation=generation), apply, every, as_json
    )


@APP.command()
def undo(stream: Name, apply: Apply = False, every: Every = False, as_json: AsJson = False) -> int:
    """Take back the newest rollover, reset or retirement, as long as nothing was built on it."""
    name = _known(stream)
    return _do(lambda config, now: undos.plan(config, name, now), apply, every, as_json)


@APP.command()
def purge(stream: Name, apply: Apply = False, every: Every = False, as_json: AsJson = False) -> int:
    """Delete for good what has outlived its retention."""
    name = _known(stream)
    registered = streams.collect()[0]
    upkeep = registered[name].upkeep if name in registered else Upkeep()
    return _do(lambda config, now: purges.plan(config, name, upkeep, now), apply, every, as_json)


def _known(name: str) -> str:
    """`name`, if it is a registered stream or has generations in this home. Raises UnknownStream."""
    if name in streams.collect()[0] or (is_name(name) and _seen(name)):
        return name
    return streams.get(name).name


def _seen(name: str) -> bool:
    layout = settings.load().layout
    return any(
        path.exists()
        for path in (layout.checkpoints(name), layout.retired(name), layout.generation_record(name, 1).parent)
    )


def _gone(name: str) -> str:
    """`name`, if no such stream is registered. Raises Refused otherwise, even if its file does not load."""
    try:
        streams.get(name)
    except UnknownStream:
        return _known(name)
    raise Refused(
        "this stream is registered",
        f"include/streams/{name}.py",
        cli=f"./caudal generation retire {name} --generation N",
    )


def _do(planner: Planner, apply: bool, every: bool, as_json: bool) -> int:
    config, now = settings.load(), datetime.now(UTC)
    with step("planning", aside=True):
        plan = planner(config, now)
    _print(plan, every)
    done = apply and bool(plan.steps)
    if done:
        with step(f"{plan.kind} of {plan.stream}: {len(plan.steps):,} steps", aside=True):
            housekeeping.apply(config, plan, partial(planner, config, now), now)
    say(
        f"done: {plan.kind} {plan.id}"
        if done
        else "nothing to do"
        if not plan.steps
        else "nothing was changed; --apply carries it out"
    )
    if as_json:
        json_line({**plan.to_json(), "applied": done})
    return int(ExitCode.DONE)


def _print(plan: Plan, every: bool) -> None:
    say(f"{plan.kind} of {plan.stream}, generation {plan.generation}")
    for line in plan.summary:
        say(f"  {line}")
    table(COLUMNS, listed(plan.steps, every), least=("stage", "bytes"))
    if len(plan.steps) > SHOWN:
        verbs = Counter(step.verb for step in plan.steps)
        counts = ", ".join(f"{count} {verb}" for verb, count in verbs.items())
        say(f"  … {len(plan.steps)} steps in all ({counts}), {plan.size_bytes:,} bytes")
    for reason, count in Counter(kept.reason for kept in plan.kept).items():
        say(f"  stays: {count} {'thing' if count == 1 else 'things'}, {reason}")
    say(f"  way back: {plan.way_back}")
