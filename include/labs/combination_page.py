"""docs/combinations.md from jobs.labs.declared.combinations: for each mode and kind of state a table source x
sink of the triggers that work."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.labs.declared.combinations import MODES, SINKS, SOURCES, STATES, TRIGGERS, Combination, verdict
from jobs.labs.declared.ends import Mode, State

_HEAD = """\
# What goes with what

`./caudal docs` generates this page from `jobs/labs/declared/combinations.py`. A test compares the two, and
runs some combinations of each kind for real.

A cell names the triggers with which Spark 4.2 reads the row's source and writes the column's sink. A number
points to the reason why not, below. What does not work is refused before Spark starts, with what to use
instead: try it with `./caudal lab camino --source socket --sink files --mode complete`.

A Caudal *stream* (files or a topic in, files or a topic out, append, available-now) keeps an account and is
exactly once. Everything else here is a *lab*, which keeps none. Socket and rate with once or available-now
would read nothing, so they are refused, too. The state of a lab is `none`, an `aggregation` without a
watermark, or `windowed` under one.
"""
_STATES = {
    "none": "without state",
    "aggregation": "an aggregation without a watermark",
    "windowed": "windows under a watermark",
}


def render() -> str:
    reasons: dict[str, int] = {}
    tables = [line for mode in MODES for state in STATES for line in _table(mode, state, reasons)]
    numbered = [f"{number}. {reason}" for reason, number in reasons.items()]
    return "\n".join([_HEAD, *tables, "## Why not", "", *numbered, ""])


def _table(mode: Mode, state: State, reasons: dict[str, int]) -> Iterator[str]:
    yield f"## {mode}, {_STATES[state]}"
    yield ""
    cells = [[_cell(source, sink, mode, state, reasons) for sink in SINKS] for source in SOURCES]
    if len({cell for row in cells for cell in row}) == 1:
        yield f"{cells[0][0]}, whatever source and sink."
    else:
        yield f"| | {' | '.join(SINKS)} |"
        yield f"|---|{'---|' * len(SINKS)}"
        alike: dict[str, list[str]] = {}
        for source, row in zip(SOURCES, cells, strict=True):
            alike.setdefault(" | ".join(row), []).append(source)
        yield from (f"| {', '.join(names)} | {row} |" for row, names in alike.items())
    yield ""


def _cell(source: str, sink: str, mode: Mode, state: State, reasons: dict[str, int]) -> str:
    """The triggers that work, and the numbers of the reasons against the others; new reasons go into
    `reasons`."""
    verdicts = {trigger: verdict(Combination(source, sink, mode, trigger, state)) for trigger in TRIGGERS}
    works = [trigger for trigger in TRIGGERS if verdicts[trigger].works]
    missing = [trigger for trigger in TRIGGERS if not verdicts[trigger].works]
    texts = [f"{verdicts[trigger].why}: {verdicts[trigger].instead}" for trigger in missing]
    numbers = sorted({reasons.setdefault(text, len(reasons) + 1) for text in texts})
    why = f"({', '.join(map(str, numbers))})"
    if not missing:
        return "all"
    if not works:
        return f"no {why}"
    return f"{', '.join(works)} {why}" if len(works) < len(missing) else f"all but {', '.join(missing)} {why}"
