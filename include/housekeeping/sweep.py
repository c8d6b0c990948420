"""Housekeeping over many streams: one that is busy, refuses or fails never stops the others. Each comes back as an Outcome."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
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
_POLL_S = 2.0


@dataclass(frozen=True)
class Outcome:
    """What came of one piece of work. `what`: a sentence. `size_bytes`: moved, or freed by a purge; of a dry run, what would be.

    `error`: for failed and held. `plan`: None where there was none to make.
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
    """`make` plans, or plans and does. Every foreseen error becomes an outcome."""
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
    """Archives what is proved, or says what would be. A stream that a run holds is left for the next sweep."""
    if not archive.anything(settings.layout, stream):
        return Outcome(stream.name, "archive", "nothing", "no admitted file is left in en_proceso")
    way = archive.plan if dry_run else archive.sweep
    found = attempt(stream.name, "archive", lambda: way(settings, stream, now, min_age_s), dry_run)
    if found.plan and (error := archive.changed(found.plan)):
        return Outcome(found.stream, found.verb, "failed", str(error), found.size_bytes, found.plan, error)
    return found


def carried_out(
    settings: Settings, name: str, planner: Planner, now: datetime, wait_s: float, sleep: Sleep = time.sleep
) -> Plan:
    """Finishes what was cut short, plans, and does it; a plan without steps is not done. Waits up to `wait_s` for a held lease.

    Raises LeaseHeld, Refused, else as `planner` and apply.
    """
    waited(partial(finish_cut, settings, name, now), wait_s, sleep)
    plan = planner()
    if plan.steps:
        waited(partial(housekeeping.apply, settings, plan, planner, now), wait_s, sleep)
    return plan


def finish_cut(settings: Settings, name: str, now: datetime) -> None:
    """An operation that a crash has cut short comes before any other. Takes the lease only when there is one. Raises LeaseHeld."""
    layout = settings.layout
    if journal.open_operations(layout.journal(name)):
        with lease.acquire(
            layout, name, lease.Owner(os.getpid(), "", now.isoformat(), "housekeeping that was cut short")
        ):
            engine.redo(layout, name, now)


def waited(do: Callable[[], None], wait_s: float, sleep: Sleep = time.sleep) -> None:
    """Tries `do` until nobody holds the lease, for `wait_s` seconds; a run takes some. Raises LeaseHeld after that."""
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


def totals(found: Iterable[Outcome]) -> dict[str, int]:
    """How many outcomes of each state."""
    counts: dict[str, int] = {}
    for one in found:
        counts[one.state] = counts.get(one.state, 0) + 1
    return counts


def _of(plan: Plan, verb: str, dry_run: bool) -> Outcome:
    what = "; ".join(plan.summary) or "nothing to do"
    if not plan.steps:
        return Outcome(plan.stream, verb, "nothing", what, plan=plan)
    return Outcome(plan.stream, verb, "planned" if dry_run else "done", what, plan.size_bytes, plan)
