"""Named places where a test may kill the process that comes by. Inert, one comparison each, unless
CAUDAL_FAILPOINT is set.

`CAUDAL_FAILPOINT=name[:hit[:victims]]`: at the hit-th time (1) at `name`, SIGKILL for each of `victims`:
`self` (default), `parent`, or both joined by `+`; in the Python driver `parent` is its JVM, in a Python
worker of Spark `grandparent` is. Only tests and the torture runs set it; `doctor` names it where it is set.
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
    """Whether a kill is meant for `name`: for what only then is worth doing before it."""
    return bool(_ARMED) and _ARMED.partition(":")[0] == name


def hit(name: str) -> None:
    """Called where a kill is worth trying; returns, unless armed for this name and this time."""
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
    """Itself last: afterwards there is nobody left to do it."""
    wanted = victims.split("+")
    if "grandparent" in wanted:
        os.kill(processes.parent(os.getppid()), signal.SIGKILL)
    if "parent" in wanted:
        os.kill(os.getppid(), signal.SIGKILL)
    if "self" in wanted:
        os.kill(os.getpid(), signal.SIGKILL)
