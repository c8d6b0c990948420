"""The work of the DAG reprocess_quarantine: a form becomes a plan, a person sees it, and exactly that plan is
carried out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from airflow.sdk import Param

from include import streams
from include.airflow_kit import managing
from include.airflow_kit.params import boolean, choice, text
from include.housekeeping.plan import Plan
from include.housekeeping.refused import decide
from include.housekeeping.refused.decide import Asked
from include.settings import Settings

_REASON = "[A-Za-z0-9_-]{1,60}"
_TIME = r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?)?"


def params() -> dict[str, Param]:
    names = sorted(streams.collect()[0]) or ["none"]
    return {
        "stream": choice(
            names[0],
            title="Stream",
            values=names,
            origin="a stream of the registry",
            description="Which stream's refused records.",
        ),
        "reasons": text(
            "",
            title="Reasons",
            pattern=f"({_REASON}(, ?{_REASON})*)?",
            origin="codes separated by commas, or empty",
            description="Only records refused with these codes, for example malformed, items-count; empty "
            "for all. ./caudal quarantine list shows the codes.",
        ),
        "since": text(
            "",
            title="Since (UTC)",
            pattern=f"({_TIME})?",
            origin="2026-11-24 or 2026-11-24T08:00, or empty",
            description="Only records refused by runs that began at this time or later; empty for all.",
        ),
        "files": boolean(
            False,
            title="Refused files",
            description="Move refused files back to entrada instead of delivering refused records again.",
        ),
    }


def plan(settings: Settings, form: Mapping[str, Any], now: datetime) -> Plan:
    """Read-only. Raises UsageError for an invalid time, else as quarantine.plan."""
    reasons = tuple(part.strip() for part in form["reasons"].split(",") if part.strip())
    asked = Asked(reasons, decide.time(form["since"]), files=form["files"])
    return decide.plan(settings, streams.get(form["stream"]), now, "reprocess", asked)


def apply(settings: Settings, form: Mapping[str, Any], approved: str, now: datetime) -> Plan:
    """Carries out the plan with the digest `approved`. Raises as managing.carry_out."""
    return managing.carry_out(
        settings, streams.get(form["stream"]), partial(plan, settings, form, now), approved, now
    )
