"""Waits for a condition, with one time budget.

The budget counts on the monotonic clock: a change of the wall clock neither cuts it short nor extends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


def attempts(timeout_s: float, poll_s: float) -> Iterator[None]:
    """One item at once, and one every `poll_s` seconds until `timeout_s` are over. The loop body is the
    attempt."""
    end_s = time.monotonic() + timeout_s
    yield
    while time.monotonic() < end_s:
        time.sleep(poll_s)
        yield


def until(condition: Callable[[], T], timeout_s: float, poll_s: float) -> T:
    """Calls `condition` until it returns a true value, and returns that value. After `timeout_s` seconds it
    returns the last, false value."""
    for _ in attempts(timeout_s, poll_s):
        if value := condition():
            break
    return value
