"""The table as Markdown, and its place between two markers in docs/reliability.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from include.torture.faults.series import Line, all_faults
from include.torture.faults.sides import Ends
from jobs.contract.disk import storage
from jobs.contract.errors import UsageError

BEGIN, END = "<!-- faults: written by ./caudal torture --table -->", "<!-- faults: end -->"
LEFT_OUT = "Not done here, for want of time or of a disk of its own:"
COLUMNS = (
    "fault",
    "delivered",
    "lost",
    "stuck",
    "too many",
    "exit",
    "Caudal: lost",
    "stuck",
    "too many",
    "in quarantine",
    "exit",
    "what it says",
)


def markdown(lines: Sequence[Line], now: datetime) -> str:
    """Head, one row a fault in the order of the code, and the faults that were left out here."""
    head = (
        f"{now:%d %B %Y}, {machine()}; both sides in the same invocation. "
        "Rows; a malformed record counts as one."
    )
    rule = "|".join("---" if name in ("fault", "what it says") else "---:" for name in COLUMNS)
    order = all_faults()
    rows = [row(line) for line in sorted(lines, key=lambda line: order.index(line.fault))]
    left = [fault for fault in order if fault not in {line.fault for line in lines}]
    more = ("", LEFT_OUT, "", *(f"- {fault}" for fault in left)) if left else ()
    return "\n".join((head, "", f"| {' | '.join(COLUMNS)} |", f"|{rule}|", *rows, *more))


def row(line: Line) -> str:
    plain, own = line.plain, line.caudal
    said = "; ".join(own.said) or "-"
    cells = (*_counts(plain), _codes(plain), *_counts(own), f"{own.refused:,}", _codes(own), said)
    assert plain.delivered == own.delivered, line
    return f"| {line.fault} | {plain.delivered:,} | {' | '.join(cells)} |"


def _counts(ends: Ends) -> tuple[str, ...]:
    return tuple(f"{count:,}" for count in (ends.lost, ends.stuck, ends.many))


def _codes(ends: Ends) -> str:
    return ", ".join(map(str, ends.codes))


def machine() -> str:
    """The class of machine, not its name."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {memory_gib:.0f} GiB, {platform.system()} {platform.machine()}"


def block(page: str) -> str:
    """What stands between the markers. Raises UsageError without them."""
    return _parted(page)[1].strip("\n")


def write(path: Path, text: str) -> None:
    """Puts `text` between the markers of `path`, whose content is replaced whole. Raises UsageError."""
    before, _, after = _parted(path.read_text(encoding="utf-8"))
    storage.replace(path, f"{before}{BEGIN}\n\n{text}\n\n{END}{after}".encode())


def _parted(page: str) -> tuple[str, str, str]:
    before, begin, rest = page.partition(BEGIN)
    inside, end, after = rest.partition(END)
    if not (begin and end):
        raise UsageError(f"the page has no lines {BEGIN} and {END}")
    return before, inside, after
