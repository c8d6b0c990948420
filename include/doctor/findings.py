"""What a check finds, and how checks are run: side by side, within one time budget. No check can stop the
others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from jobs.contract.errors import CaudalError

# note: worth a line, but not a fault (a service that is not started, files that wait)
State = Literal["ok", "note", "wrong"]
Check = Callable[[], Iterable["Finding"]]


@dataclass(frozen=True)
class Finding:
    """One line. `fix`: what to type or do; empty for ok."""

    check: str
    state: State
    what: str
    fix: str = ""


def ok(check: str, what: str) -> Finding:
    return Finding(check, "ok", what)


def note(check: str, what: str, fix: str = "") -> Finding:
    return Finding(check, "note", what, fix)


def wrong(check: str, what: str, fix: str) -> Finding:
    return Finding(check, "wrong", what, fix)


def of_error(check: str, error: Exception) -> Finding:
    """A foreseen error with its own remedy. Any other error is reported as a fault of the check itself."""
    if isinstance(error, CaudalError):
        where = f" [{error.where}]" if error.where else ""
        return wrong(check, f"{error.what}{where}", error.way_cli)
    if isinstance(error, OSError) and error.strerror:
        return wrong(check, f"{error.strerror.lower()} [{error.filename}]", "repair what is named here")
    what = f"this check itself failed: {type(error).__name__}: {error}"
    return wrong(check, what, "if nothing else is wrong, this is a bug in doctor: report it")


def run(
    checks: Mapping[str, Check],
    budget_s: float,
    longer_s: Mapping[str, float] = MappingProxyType({}),
    progress: Callable[[str], None] = lambda _: None,
) -> list[Finding]:
    """The findings of all checks, in the order of `checks`. A check that has not ended within `budget_s`
    seconds is reported as late.

    `longer_s`: check -> its own budget in seconds, for what must not be cut short. `progress`: called with
    the name of the check that is waited for. Threads are daemons: a check that hangs (a dead network disk)
    must not keep the program from ending.
    """
    done: dict[str, list[Finding]] = {}
    threads = [
        threading.Thread(target=_guarded, args=(name, check, done), daemon=True)
        for name, check in checks.items()
    ]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for name, thread in zip(checks, threads, strict=True):
        progress(name)
        thread.join(max(0.0, start + longer_s.get(name, budget_s) - time.monotonic()))
    late = {name: [_late(name, longer_s.get(name, budget_s))] for name in checks}
    return [finding for name in checks for finding in done.get(name, late[name])]


def _guarded(name: str, check: Check, done: dict[str, list[Finding]]) -> None:
    done[name] = list(_until_error(name, check))


def _until_error(name: str, check: Check) -> Iterator[Finding]:
    try:
        yield from check()
    except Exception as error:  # doctor never crashes: an error is a finding, too
        yield of_error(name, error)


def _late(name: str, budget_s: float) -> Finding:
    fix = "a slow disk, a busy machine, or a service that hangs: try again, then ./caudal status"
    return wrong(name, f"no answer within {budget_s:g} s", fix)
