"""What the DAG reprocess_quarantine does: a form becomes a plan, and the plan that a person has seen, and no other, is done."""

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
            description="Whose refused records.",
        ),
        "reasons": text(
            "",
            title="Reasons",
            pattern=f"({_REASON}(, ?{_REASON})*)?",
            origin="codes with commas between, or nothing",
            description="Only records refused for these codes, as malformed, items-count; nothing for all. ./caudal quarantine list shows them.",
        ),
        "since": text(
            "",
            title="Since (UTC)",
            pattern=f"({_TIME})?",
            origin="2026-11-24 or 2026-11-24T08:00, or nothing",
            description="Only what was refused by runs that began at or after this time; nothing for all.",
        ),
        "files": boolean(
            False,
            title="Refused files",
            description="Move refused files back to entrada instead of delivering refused records again.",
        ),
    }


def plan(settings: Settings, form: Mapping[str, Any], now: datetime) -> Plan:
    """Read-only. Raises UsageError for a time that is none, else as quarantine.plan."""
    reasons = tuple(part.strip() for part in form["reasons"].split(",") if part.strip())
    asked = Asked(reasons, decide.time(form["since"]), files=form["files"])
    return decide.plan(settings, streams.get(form["stream"]), now, "reprocess", asked)


def apply(settings: Settings, form: Mapping[str, Any], approved: str, now: datetime) -> Plan:
    """Does the plan with the digest `approved`. Raises as managing.carry_out."""
    return managing.carry_out(
        settings, streams.get(form["stream"]), partial(plan, settings, form, now), approved, now
    )
