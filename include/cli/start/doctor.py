"""doctor: says what is wrong, one line each, with the fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from include import settings
from include.cli.terminal.console import json_line, say, step
from include.doctor import examine
from include.doctor.findings import Finding, of_error
from jobs.contract.errors import CaudalError, ExitCode

_STREAM = "stream "
_MARKS = {"ok": "ok   ", "note": "note ", "wrong": "WRONG"}


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only what is wrong.")] = False,
    canary: Annotated[
        bool, typer.Option("--canary", help="Also let Airflow run one small task, as up does.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="Also list what is as it should be.")] = False,
) -> int:
    """Check everything, change nothing. Prints a line, with the fix, for what is wrong or worth a look. Exit
    1 if anything is wrong."""
    with step("looking at everything", aside=True) as progress:
        found = _found(canary, progress.update)
    for line in map(_line, found) if every else _short(found, quiet):
        say(line)
    bad = sum(finding.state == "wrong" for finding in found)
    say(f"{len(found)} checks, {f'{bad} wrong' if bad else 'nothing is wrong'}")
    if as_json:
        json_line({"ok": not bad, "wrong": bad, "findings": [asdict(finding) for finding in found]})
    return int(ExitCode.FAILED if bad else ExitCode.DONE)


def _short(found: list[Finding], quiet: bool) -> Iterator[str]:
    """Leaves out what is ok, except the canary, which somebody asked for. Streams with the same note share a
    line."""
    alike: dict[str, list[Finding]] = {}
    for one in found:
        if one.state == "wrong" or (not quiet and (one.state == "note" or one.check == "canary")):
            alike.setdefault(_of_any_stream(one), []).append(one)
    for line, those in alike.items():
        names = ", ".join(one.check.removeprefix(_STREAM) for one in those)
        yield _line(those[0]) if len(those) == 1 else line.replace(f"{_STREAM}STREAM", f"streams {names}", 1)


def _of_any_stream(one: Finding) -> str:
    """The finding's line; in a note, STREAM stands for the name, so that streams with the same note have
    equal lines."""
    name = one.check.removeprefix(_STREAM)
    return _line(one).replace(name, "STREAM") if one.state == "note" and name != one.check else _line(one)


def _found(canary: bool, said: Callable[[str], None]) -> list[Finding]:
    try:
        loaded = settings.load()
    except CaudalError as error:
        return [of_error("settings", error)]
    return examine.everything(loaded, datetime.now(UTC), canary=canary, progress=said)


def _line(finding: Finding) -> str:
    fix = f"  -> {finding.fix}" if finding.fix else ""
    return f"{_MARKS[finding.state]}  {finding.check}: {finding.what}{fix}"
