"""Failpoints: named places where a test may kill the process that passes. Only tests and `torture` set them.

`CAUDAL_FAILPOINT=name[:hit[:victims]]` sends SIGKILL to each of `victims` when `name` is passed for the
hit-th time (default 1). Victims are `self` (default), `parent`, `grandparent`, or several joined by `+`. The
JVM is the parent of the Python driver, and the grandparent of a Python worker. Without the variable, a
failpoint costs one comparison. `doctor` warns if it is set.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

from jobs.contract.disk import processes

VARIABLE = "CAUDAL_FAILPOINT"
NAMES = (
    "claim", "ledger", "admitted",
    "planned", "staged", "quarantined", "manifest", "published", "committed", "closing",
    "move", "intent", "stage", "steps", "done",
    "fenced", "claimed", "sending", "token", "unit", "sent",
)  # fmt: skip
_ARMED = os.environ.get(VARIABLE, "")  # noqa: TID251 - read once: a failpoint is no setting of a home
_hits: Counter[str] = Counter()


def armed(name: str) -> bool:
    """Whether the variable names `name`. For work that is only needed before a kill."""
    return bool(_ARMED) and _ARMED.partition(":")[0] == name


def hit(name: str) -> None:
    """Passes the failpoint `name`. Kills if the variable says so, else returns."""
    if not _ARMED:
        return
    wanted, _, rest = _ARMED.partition(":")
    if wanted != name:
        return
    _hits[name] += 1
    count, _, victims = rest.partition(":")
    if _hits[name] == int(count or 1):
        _kill(victims or "self")


def _kill(victims: str) -> None:
    wanted = victims.split("+")
    # Its own process last: it must still be alive to kill the others.
    if "grandparent" in wanted:
        os.kill(processes.parent(os.getppid()), signal.SIGKILL)
    if "parent" in wanted:
        os.kill(os.getppid(), signal.SIGKILL)
    if "self" in wanted:
        os.kill(os.getpid(), signal.SIGKILL)
