"""From Caudal's errors to Airflow's: one readable line; a retry only where the same call may succeed later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from include.housekeeping.sweep import Outcome
from jobs.contract.errors import CaudalError, ExitCode, tree

_PERMANENT = (ExitCode.USAGE, ExitCode.DATA, ExitCode.CONFIG)


def line(error: Mapping[str, Any]) -> str:
    """One line of a report's error: code, what, where and both ways out."""
    where = f" [{error['where']}]" if error.get("where") else ""
    ways = [
        f"{label}: {error[key]}"
        for label, key in (("command line", "cli"), ("Airflow", "ui"))
        if error.get(key)
    ]
    return " ".join(
        f"{error['code']}: {error['what']}{where}{' -> ' if ways else ''}{'; '.join(ways)}".split()
    )


def transient(code: str, exit_code: int) -> bool:
    """Whether the same call may succeed later: as the error tree says of `code`; for an unknown code, as the exit code says."""
    for kind in tree():
        if kind.code == code:
            return kind.transient
    return exit_code not in _PERMANENT


def airflow_error(text: str, code: str, exit_code: int) -> AirflowException:
    """AirflowFailException (no retry) for a permanent error, AirflowException (retried) for a transient one."""
    return AirflowException(text) if transient(code, exit_code) else AirflowFailException(text)


@contextmanager
def one_line() -> Iterator[None]:
    """Turns a CaudalError of the block into Airflow's, with its line and without its trace."""
    try:
        yield
    except CaudalError as error:
        raise airflow_error(line(error.to_json()), error.code, int(error.exit_code)) from None


def raise_failed(found: Iterable[Outcome]) -> None:
    """Fails the task when a piece of its work failed, with the first one's line; a retry only where all may succeed later.

    A held lease and a refusal are no failures: they are told, and the next round tries again.
    """
    failed = [one for one in found if one.state == "failed" and one.error]
    if not failed:
        return
    error = next((one.error for one in failed if one.error and not one.error.transient), failed[0].error)
    assert error is not None, failed  # noqa: S101 - chosen above
    more = f" (and {len(failed) - 1} more, see the table)" if len(failed) > 1 else ""
    raise airflow_error(line(error.to_json()) + more, error.code, int(error.exit_code))
