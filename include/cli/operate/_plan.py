"""Prints a plan of archive or restore: what it does, its first files as a table, what stays and why, and how
to undo it."""

from __future__ import annotations

from include.cli.terminal.console import json_line, say, table
from include.housekeeping.plan import SHOWN, Plan


def show(plan: Plan, *, done: bool, every: bool = False) -> None:
    """Prints the plan for a person. `done`: it was carried out. `every`: list all of its files, not only the
    first."""
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
        else "nothing was changed; --apply carries it out"
        if plan.steps
        else "nothing to do"
    )


def show_json(plan: Plan, *, done: bool) -> None:
    json_line({**plan.to_json(), "applied": done})
