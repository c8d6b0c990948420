"""Housekeeping over many streams. Each piece of work becomes an Outcome.

A stream that is busy, refuses or fails never stops the others.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Literal

from include.housekeeping import apply as housekeeping
from include.housekeeping import engine
from include.housekeeping.files import archive
from include.housekeeping.plan import Plan
from include.settings import Settings
from include.state import journal, lease
from jobs.contract.errors import CaudalError, LeaseHeld, Refused
from jobs.contract.stream import Stream

State = Literal["done", "planned", "nothing", "held", "refused", "failed"]
Planner = Callable[[], Plan]
Sleep = Callable[[float], object]
_POLL_S = 2.0  # between two tries for a lease; a run holds it for seconds to minutes


@dataclass(frozen=True)
class Outcome:
    """The result of one piece of work. `what`: a sentence.

    `size_bytes`: moved, or freed by a purge; in a dry run, what would be. `error`: for failed and held.
    `plan`: None if none was made.
    """

    stream: str
    verb: str
    state: State
    what: str
    size_bytes: int = 0
    plan: Plan | None = None
    error: CaudalError | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for XCom and the asset event."""
        values: dict[str, Any] = {
            "stream": self.stream,
            "verb": self.verb,
            "state": self.state,
            "what": self.what,
            "bytes": self.size_bytes,
        }
        error = self.error.to_json() if self.error else None
        return {**values, "plan": self.plan.to_json() if self.plan else None, "error": error}


def attempt(stream: str, verb: str, make: Callable[[], Plan], dry_run: bool) -> Outcome:
    """Calls `make`, which plans, or plans and applies. Every foreseen error becomes an outcome."""
    try:
        return _of(make(), verb, dry_run)
    except LeaseHeld as error:
        return Outcome(stream, verb, "held", error.what, error=error)
    except Refused as error:
        return Outcome(stream, verb, "refused", error.what)
    except CaudalError as error:
        error.name_stream(stream)
        return Outcome(stream, verb, "failed", str(error), error=error)


def archived(settings: Settings, stream: Stream, now: datetime, min_age_s: float, dry_run: bool) -> Outcome:
    """Archives what is proved, or with `dry_run` only plans it. A busy stream is left for the next sweep."""
    if not archive.anything(settings.layout, stream):
        return Outcome(stream.name, "archive", "nothing", "no admitted file is left in en_proceso")
    make = archive.plan if dry_run else archive.sweep
    outcome = attempt(stream.name, "archive", lambda: make(settings, stream, now, min_age_s), dry_run)
    if outcome.plan and (error := archive.changed(outcome.plan)):
        return replace(outcome, state="failed", what=str(error), error=error)
    return outcome


def carried_out(
    settings: Settings, name: str, planner: Planner, now: datetime, wait_s: float, sleep: Sleep = time.sleep
) -> Plan:
    """Finishes what was cut short, plans, and applies the plan if it has steps.

    Waits up to `wait_s` seconds for a held lease. Raises LeaseHeld, Refused, else as `planner` and apply.
    """
    waited(partial(finish_cut, settings, name, now), wait_s, sleep)
    plan = planner()
    if plan.steps:
        waited(partial(housekeeping.apply, settings, plan, planner, now), wait_s, sleep)
    return plan


def finish_cut(settings: Settings, name: str, now: datetime) -> None:
    """Finishes operations that a crash cut short. Takes the lease only if there is one. Raises LeaseHeld."""
    layout = settings.layout
    if journal.open_operations(layout.journal(name)):
        owner = lease.Owner(os.getpid(), "", now.isoformat(), "housekeeping that was cut short")
        with lease.acquire(layout, name, owner):
            engine.redo(layout, name, now)


def waited(do: Callable[[], None], wait_s: float, sleep: Sleep = time.sleep) -> None:
    """Calls `do` until it gets the lease. Raises LeaseHeld after `wait_s` seconds."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            do()
        except LeaseHeld:
            if time.monotonic() >= deadline:
                raise
            sleep(_POLL_S)
        else:
            return


def totals(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How many outcomes there are of each state."""
    return dict(Counter(outcome.state for outcome in outcomes))


def _of(plan: Plan, verb: str, dry_run: bool) -> Outcome:
    what = "; ".join(plan.summary) or "nothing to do"
    if not plan.steps:
        return Outcome(plan.stream, verb, "nothing", what, plan=plan)
    return Outcome(plan.stream, verb, "planned" if dry_run else "done", what, plan.size_bytes, plan)
