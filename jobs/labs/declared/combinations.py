"""Source x sink x mode x trigger x state: what works, and what is refused before Spark starts, with what to
use instead.

`docs/combinations.md` is generated from these rules; the labs and `new-stream` check against them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import get_args

from jobs.contract.errors import Refused
from jobs.labs.declared.ends import Mode, Pipeline, State, Trigger

SOURCES = ("files", "kafka", "socket", "rate", "table")
SINKS = ("files", "kafka", "console", "memory", "foreach", "foreachBatch", "table", "mongodb", "delta")
MODES: tuple[Mode, ...] = get_args(Mode)
TRIGGERS: tuple[Trigger, ...] = get_args(Trigger)
STATES: tuple[State, ...] = get_args(State)
_ENDLESS = ("socket", "rate")
_CONTINUOUS_SOURCES = ("kafka", "socket", "rate")
_CONTINUOUS_SINKS = ("kafka", "console", "memory", "foreach")
_APPEND_ONLY = ("files", "table")


@dataclass(frozen=True)
class Combination:
    source: str
    sink: str
    mode: Mode
    trigger: Trigger
    state: State


@dataclass(frozen=True)
class Verdict:
    """`why` and `instead` are empty for a combination that works; `notes`: what to know about it."""

    works: bool
    why: str = ""
    instead: str = ""
    notes: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        return "; ".join(self.notes)


# (when it is refused, why, what to use instead). The first rule that applies is the answer, so the reason
# that a learner should hear first stands first.
_RULES: tuple[tuple[Callable[[Combination], bool], str, str], ...] = (
    (
        lambda c: c.mode == "complete" and c.state == "none",
        "complete shows the whole result, and without an aggregation nothing keeps it",
        "mode append, or an aggregation",
    ),
    (
        lambda c: c.mode == "append" and c.state == "aggregation",
        "append needs to know that a group is final, and without a watermark none ever is",
        "mode update or complete, or a watermark and a window",
    ),
    (
        lambda c: c.trigger == "continuous" and c.state != "none",
        "continuous processing has no batches, so nothing can be aggregated over them",
        "trigger processing-time",
    ),
    (
        lambda c: c.trigger == "continuous" and c.source not in _CONTINUOUS_SOURCES,
        "this source cannot be read continuously (kafka, socket and rate can)",
        "trigger processing-time",
    ),
    (
        lambda c: c.trigger == "continuous" and c.sink not in _CONTINUOUS_SINKS,
        "this sink takes whole batches (kafka, console, memory and foreach do without)",
        "trigger processing-time",
    ),
    (
        lambda c: c.trigger in ("once", "available-now") and c.source in _ENDLESS,
        "what is there at the start is all that such a run reads, and here nothing is there yet",
        "trigger processing-time",
    ),
    (
        lambda c: c.sink in _APPEND_ONLY and c.mode == "update",
        "a row in a file cannot be changed",
        "mode append, or sink foreachBatch or mongodb with an upsert by key",
    ),
    (
        lambda c: c.sink == "delta" and c.mode == "update",
        "Delta's sink adds rows or replaces all of them; to change some is a MERGE",
        "mode append or complete, or sink foreachBatch with a MERGE",
    ),
    (
        lambda c: c.sink in _APPEND_ONLY and c.mode == "complete",
        "files that are written stay, so a reader would find every earlier result, too",
        "sink foreachBatch that replaces one snapshot, memory, console or mongodb",
    ),
)
_NOTES: tuple[tuple[Callable[[Combination], bool], str], ...] = (
    (lambda c: c.trigger == "continuous", "select and where only: no explode, no join, no current time"),
    (lambda c: c.trigger == "once", "one batch however much is waiting; available-now keeps to the limits"),
    (lambda c: c.source == "socket", "what was read and not finished is lost: a socket cannot be read again"),
    (
        lambda c: c.sink == "kafka",
        "at least once: a batch that fails half-way is sent again (a Caudal stream: exactly once)",
    ),
    (
        lambda c: c.sink in ("foreach", "foreachBatch"),
        "at least once: make the function idempotent by key or batch",
    ),
    (
        lambda c: c.sink == "delta",
        "exactly once by the table's own log; a reader of its part files alone sees deleted rows, too",
    ),
    (lambda c: c.sink == "memory", "everything stays in the driver's memory"),
    (
        lambda c: c.mode == "append" and c.state == "windowed",
        "a window appears when the watermark has passed its end; the last ones stay open",
    ),
)


def verdict(asked: Combination) -> Verdict:
    """Whether Spark 4.2 runs this combination; for a refusal the first reason."""
    for applies, why, instead in _RULES:
        if applies(asked):
            return Verdict(False, why, instead)
    return Verdict(True, notes=tuple(note for applies, note in _NOTES if applies(asked)))


def of(pipeline: Pipeline) -> Combination:
    return Combination(*pipeline.kinds, pipeline.mode, pipeline.trigger, pipeline.state)


def require(pipeline: Pipeline, where: object) -> None:
    """Raises Refused with the reason and what to use instead."""
    asked = of(pipeline)
    answer = verdict(asked)
    if not answer.works:
        what = f"{asked.source} -> {asked.sink}, mode {asked.mode}, trigger {asked.trigger}"
        raise Refused(f"{what}: {answer.why}", where, cli=f"use {answer.instead}")


def every() -> Iterator[Combination]:
    for words in product(SOURCES, SINKS, MODES, TRIGGERS, STATES):
        yield Combination(*words)
