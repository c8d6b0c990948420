"""Plan -> done. Under the stream's lease: what was cut short first, then the plan, if it is still what would be planned now."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime

from include.housekeeping import engine
from include.housekeeping.files import archive
from include.housekeeping.plan import Plan
from include.settings import Settings
from include.state import lease
from jobs.contract.errors import Refused

Planner = Callable[[], Plan]


def apply(settings: Settings, plan: Plan, again: Planner, now: datetime) -> None:
    """Does `plan`. `again` makes it anew under the lease: somebody may have read it for hours before saying yes.

    Raises LeaseHeld; Refused when the state has changed since, or planning now refuses; else as engine.apply.
    """
    owner = lease.Owner(os.getpid(), plan.id, now.isoformat(), f"{plan.kind} (housekeeping)")
    with lease.acquire(settings.layout, plan.stream, owner):
        engine.redo(settings.layout, plan.stream, now)
        if again().digest != plan.digest:
            raise Refused(
                "the stream has moved on since this was planned; nothing was changed",
                plan.stream,
                cli="plan again, then --apply",
            )
        if plan.kind == "rollover":  # what it archives must not be found uncommitted after a power cut
            archive.sync_proof(settings.layout, plan.stream, plan.generation)
        engine.apply(settings.layout, plan.stream, plan.operation(now.isoformat()), plan.steps, now)
