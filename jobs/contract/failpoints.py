"""Named places where a test may kill the process that comes by. Inert, one comparison each, unless CAUDAL_FAILPOINT is set.

`CAUDAL_FAILPOINT=name[:hit[:victims]]`: at the hit-th time (1) at `name`, SIGKILL for each of `victims`: `self` (default), `parent`, or both
joined by `+`; in the Python driver `parent` is its JVM. Only tests and the torture runs set it; `doctor` names it where it is set.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

VARIABLE = "CAUDAL_FAILPOINT"
NAMES = (
    "claim", "ledger", "admitted",
    "planned", "staged", "quarantined", "manifest", "published", "committed",
    "move", "intent", "stage", "steps", "done",
)  # fmt: skip
_ARMED = os.environ.get(VARIABLE, "")  # noqa: TID251 - read once: a failpoint is no setting of a home
_hits: Counter[str] = Counter()


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
    """The parent first: afterwards there is nobody left to do it."""
    if "parent" in victims:
        os.kill(os.getppid(), signal.SIGKILL)
    if "self" in victims:
        os.kill(os.getpid(), signal.SIGKILL)
