"""Aligned tables for task logs, and Markdown tables for the page on which a person approves a plan."""

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
    """The header and a line for each row, with aligned columns. Control characters in file names are
    escaped."""
    cells = [[*columns], *([printable(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def printable(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def outcomes(work: Iterable[Outcome]) -> list[str]:
    """A line for each piece of work; then, for each plan that has any, its steps and what it leaves alone."""
    work = list(work)
    rows = [(o.stream, o.verb, o.state, f"{o.size_bytes:,}", o.what) for o in work]
    plans = [o.plan for o in work if o.plan and (o.plan.steps or o.plan.kept)]
    return [*lines(_OUTCOMES, rows), *(line for plan in plans for line in ("", *steps(plan)))]


def steps(plan: Plan) -> list[str]:
    """The plan's steps as a table (many similar steps share a row), the number of steps, what stays and why,
    and the way back."""
    rows = [(*row, f"{size_bytes:,}") for *row, size_bytes in listed(plan.steps)]
    text = [
        f"{plan.kind} of {plan.stream}, generation {plan.generation}:",
        *(f"  {line}" for line in plan.summary),
    ]
    text += lines(COLUMNS, rows) if rows else []
    if len(plan.steps) > SHOWN:
        text.append(f"… {len(plan.steps):,} steps in all, {plan.size_bytes:,} bytes")
    text += [printable(f"stays: {kept.path}: {kept.reason}") for kept in plan.kept[:SHOWN]]
    if len(plan.kept) > SHOWN:
        text.append(f"… {len(plan.kept):,} things stay in all")
    return [*text, f"way back: {plan.way_back}"] if plan.steps else text


def markdown(plan: Plan) -> str:
    """The plan for the approval page, as `steps`: lists and one table. That page would fold a block of code
    into one line."""
    head = [f"- {_text(line)}" for line in plan.summary]
    rows = [
        (stage, verb, _code(source), _code(target), f"{size_bytes:,}")
        for stage, verb, source, target, size_bytes in listed(plan.steps)
    ]
    table = [_row(COLUMNS), _row("---" for _ in COLUMNS), *(_row(row) for row in rows)] if rows else []
    total = f"… {len(plan.steps):,} steps in all, {plan.size_bytes:,} bytes"
    more = [total, ""] if len(plan.steps) > SHOWN else []
    stay = [f"- stays: {_code(kept.path)}: {_text(kept.reason)}" for kept in plan.kept[:SHOWN]]
    stay += [f"- … {len(plan.kept):,} things stay in all"] if len(plan.kept) > SHOWN else []
    return "\n".join([*head, "", *table, "", *more, *stay, "", f"Way back: {_text(plan.way_back)}"])


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _text(text: str) -> str:
    """Escaped, so that Markdown reads nothing in a name as markup."""
    return _MARKUP.sub(r"\\\1", printable(text))


def _code(path: str) -> str:
    return f"`{printable(path).replace('`', chr(39)).replace('|', chr(92) + '|')}`" if path != "-" else path


def tell(text: Iterable[str]) -> None:
    """Writes each line into the task's log. Printed lines may come into the log after the task's end, where
    Airflow folds them away."""
    for line in text:
        _LOG.info("%s", line)


def plain(work: Iterable[Outcome]) -> list[dict[str, Any]]:
    return [outcome.to_json() for outcome in work]
