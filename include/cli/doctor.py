"""doctor: what is wrong, a line each with the fix."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from include import settings
from include.cli._console import json_line, say
from include.doctor import examine
from include.doctor.findings import Finding, of_error
from jobs.contract.errors import CaudalError, ExitCode

_MARKS = {"ok": "ok   ", "note": "note ", "wrong": "WRONG"}


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only what is wrong.")] = False,
    canary: Annotated[bool, typer.Option("--canary", help="Also have Airflow do one small task, as up does.")] = False,
) -> int:
    """Look at everything, change nothing: a line each, with the fix; exit 1 when anything is wrong."""
    found = _found(canary)
    for finding in found:
        if finding.state == "wrong" or not quiet:
            say(_line(finding))
    bad = sum(finding.state == "wrong" for finding in found)
    say(f"{len(found)} findings, {bad} wrong" if bad else f"{len(found)} findings, nothing is wrong")
    if as_json:
        json_line({"ok": not bad, "wrong": bad, "findings": [asdict(finding) for finding in found]})
    return int(ExitCode.FAILED if bad else ExitCode.DONE)


def _found(canary: bool) -> list[Finding]:
    try:
        loaded = settings.load()
    except CaudalError as error:
        return [of_error("settings", error)]
    return examine.everything(loaded, datetime.now(UTC), canary=canary)


def _line(finding: Finding) -> str:
    fix = f"  -> {finding.fix}" if finding.fix else ""
    return f"{_MARKS[finding.state]}  {finding.check}: {finding.what}{fix}"
