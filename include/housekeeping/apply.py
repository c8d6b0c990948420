"""Does a plan under the stream's lease, if the same plan would still be made now."""

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
    """Finishes what was cut short, then does `plan`.

    `again` plans once more under the lease, because hours may pass between a plan and its approval.
    Raises LeaseHeld; Refused when the stream has changed since, or when `again` refuses; else as
    engine.apply.
    """
    owner = lease.Owner(os.getpid(), plan.id, now.isoformat(), f"{plan.kind} (housekeeping)")
    with lease.acquire(settings.layout, plan.stream, owner):
        engine.redo(settings.layout, plan.stream, now)
        if again().digest != plan.digest:
            what = "the stream has moved on since this was planned; nothing was changed"
            raise Refused(what, plan.stream, cli="plan again, then --apply")
        if plan.kind == "rollover":
            # A rollover archives files. After a power cut, the commits that allowed it must still be there.
            archive.sync_proof(settings.layout, plan.stream, plan.generation)
        engine.apply(settings.layout, plan.stream, plan.operation(now.isoformat()), plan.steps, now)
