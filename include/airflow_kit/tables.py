"""Aligned tables for task logs, and as Markdown for a page that a person approves."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from typing import Any

from include.housekeeping.plan import COLUMNS, SHOWN, Plan, listed
from include.housekeeping.sweep import Outcome

_LOG = logging.getLogger(__name__)
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|!~$&])")
_OUTCOMES = ("stream", "what", "result", "bytes", "in words")


def lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The head and a line for each row, columns aligned; control characters of file names are shown, not printed."""
    cells = [[*columns], *([printable(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def printable(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def outcomes(found: Iterable[Outcome]) -> list[str]:
    """A line for each piece of work, then the steps of each plan that has any, and what it leaves alone."""
    found = list(found)
    rows = [(one.stream, one.verb, one.state, f"{one.size_bytes:,}", one.what) for one in found]
    plans = [one.plan for one in found if one.plan and (one.plan.steps or one.plan.kept)]
    return [*lines(_OUTCOMES, rows), *(line for plan in plans for line in ("", *steps(plan)))]


def steps(plan: Plan) -> list[str]:
    """The plan's steps as a table, many of a kind in one row, the number of all, what stays and why, the way back."""
    rows = [(*row, f"{size_bytes:,}") for *row, size_bytes in listed(plan.steps)]
    said = [
        f"{plan.kind} of {plan.stream}, generation {plan.generation}:",
        *(f"  {line}" for line in plan.summary),
    ]
    said += lines(COLUMNS, rows) if rows else []
    if len(plan.steps) > SHOWN:
        said.append(f"… {len(plan.steps):,} steps in all, {plan.size_bytes:,} bytes")
    said += [printable(f"stays: {kept.path}: {kept.reason}") for kept in plan.kept[:SHOWN]]
    if len(plan.kept) > SHOWN:
        said.append(f"… {len(plan.kept):,} things stay in all")
    return [*said, f"way back: {plan.way_back}"] if plan.steps else said


def markdown(plan: Plan) -> str:
    """The plan for the approval page, as `steps`: lists and one table, since that page folds a block of code into one line."""
    head = [f"- {_text(line)}" for line in plan.summary]
    rows = [
        (stage, verb, _code(source), _code(target), f"{size_bytes:,}")
        for stage, verb, source, target, size_bytes in listed(plan.steps)
    ]
    table = [_row(COLUMNS), _row("---" for _ in COLUMNS), *(_row(row) for row in rows)] if rows else []
    more = (
        [f"… {len(plan.steps):,} steps in all, {plan.size_bytes:,} bytes", ""]
        if len(plan.steps) > SHOWN
        else []
    )
    stay = [f"- stays: {_code(kept.path)}: {_text(kept.reason)}" for kept in plan.kept[:SHOWN]]
    stay += [f"- … {len(plan.kept):,} things stay in all"] if len(plan.kept) > SHOWN else []
    return "\n".join([*head, "", *table, "", *more, *stay, "", f"Way back: {_text(plan.way_back)}"])


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _text(text: str) -> str:
    """No name in it is taken for markup."""
    return _MARKUP.sub(r"\\\1", printable(text))


def _code(path: str) -> str:
    return f"`{printable(path).replace('`', chr(39)).replace('|', chr(92) + '|')}`" if path != "-" else path


def tell(said: Iterable[str]) -> None:
    """Into the task's log, a line each. What is printed instead may come into the log after the task's end, and is folded away with it."""
    for line in said:
        _LOG.info("%s", line)


def plain(found: Iterable[Outcome]) -> list[dict[str, Any]]:
    return [one.to_json() for one in found]
