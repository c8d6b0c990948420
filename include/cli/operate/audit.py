"""audit STREAM: counts everything again from the disk and the topics."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from include import settings, streams
from include.account.audit import examine
from include.account.audit.findings import Audit
from include.cli.terminal import console
from jobs.contract.errors import ExitCode, UsageError


def command(
    stream: Annotated[str, typer.Argument(help="A registered stream; ./caudal status lists them.")],
    since: Annotated[
        str,
        typer.Option(
            "--since", metavar="DATE", help="Only what came since 2026-11-24 or 2026-11-24T08:00 (UTC)."
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> int:
    """Count STREAM again from files, manifests, quarantine, checkpoint and topics, independently of the
    counts of its runs. Read-only. Prints a line per difference, and then exits with 1."""
    row, start = streams.get(stream), _time(since)
    with console.step(f"audit of {stream}") as step:
        found = examine.audit(settings.load(), row, start, step.update)
    _say(found)
    if as_json:
        console.json_line(found.to_json())
    return int(ExitCode.DONE if found.sound else ExitCode.FAILED)


def _say(found: Audit) -> None:
    console.table(("counted again", ""), [(title, f"{count:>14,}") for title, count in found.counts.items()])
    for text in found.unchecked:
        console.say(f"not checked: {text}")
    for difference in found.differences:
        console.say(f"DIFFERENCE {difference}")
    console.say(
        f"{found.stream}: {len(found.differences)} differences"
        if found.differences
        else f"{found.stream}: everything adds up"
    )


def _time(text: str) -> datetime | None:
    """Raises UsageError if the text is not a date."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{text!r} is not a date", "--since", cli="--since 2026-11-24, or 2026-11-24T08:00:00"
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)
