"""How the verbs archive and restore print a plan: what it does in sentences, the first files as a table, what stays and why, the way back."""

from __future__ import annotations

from include.cli.terminal.console import json_line, say, table
from include.housekeeping.plan import SHOWN, Plan


def show(plan: Plan, *, done: bool, every: bool = False) -> None:
    """For a person. `done`: the plan was carried out; `every`: all of its files, not the first ones."""
    say(f"{plan.kind} of {plan.stream}, generation {plan.generation}")
    for line in plan.summary:
        say(f"  {line}")
    named = [((s.source or s.target).rpartition("/")[2], s) for s in plan.steps]
    rows = [
        (name, s.batch if s.batch >= 0 else "-", f"{s.size_bytes:,}", s.target.rpartition("/")[0])
        for name, s in named
    ]
    if rows:
        table(("file", "batch", "bytes", "to"), rows if every else rows[:SHOWN], least=("bytes", "batch"))
    if len(rows) > SHOWN:
        say(f"… {len(rows):,} files in all, {plan.size_bytes:,} bytes")
    for kept in plan.kept[:SHOWN]:
        say(f"stays: {kept.path}: {kept.reason}")
    if len(plan.kept) > SHOWN:
        say(f"… {len(plan.kept):,} stay in all")
    if plan.steps:
        say(f"way back: {plan.way_back}")
    say(
        f"done: {plan.kind} {plan.id}"
        if done
        else "nothing was changed; --apply does it"
        if plan.steps
        else "nothing to do"
    )


def show_json(plan: Plan, *, done: bool) -> None:
    json_line({**plan.to_json(), "applied": done})
