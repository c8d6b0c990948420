"""Turns Caudal's errors into Airflow's: one readable line, and a retry only where the same call may succeed
later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from include.housekeeping.sweep import Outcome
from jobs.contract.errors import CaudalError, ExitCode, tree

# the call, the data or a setting must change first; a retry would only delay the message
_PERMANENT = (ExitCode.USAGE, ExitCode.DATA, ExitCode.CONFIG)


def line(error: Mapping[str, Any]) -> str:
    """One line from a report's error: code, what, where, and what to do on the command line and in
    Airflow."""
    where = f" [{error['where']}]" if error.get("where") else ""
    labels = (("command line", "cli"), ("Airflow", "ui"))
    remedies = "; ".join(f"{label}: {error[key]}" for label, key in labels if error.get(key))
    text = f"{error['code']}: {error['what']}{where}{' -> ' if remedies else ''}{remedies}"
    return " ".join(text.split())  # Airflow's log would show an error of several lines in pieces


def transient(code: str, exit_code: int) -> bool:
    """Whether the same call may succeed later. The error tree knows it for `code`; for an unknown code the
    exit code decides."""
    for kind in tree():
        if kind.code == code:
            return kind.transient
    return exit_code not in _PERMANENT


def airflow_error(text: str, code: str, exit_code: int) -> AirflowException:
    """AirflowFailException (no retry) for a permanent error, AirflowException (retried) for a transient
    one."""
    return AirflowException(text) if transient(code, exit_code) else AirflowFailException(text)


@contextmanager
def one_line() -> Iterator[None]:
    """Turns a CaudalError of the block into Airflow's error, with its line and without its trace."""
    try:
        yield
    except CaudalError as error:
        raise airflow_error(line(error.to_json()), error.code, int(error.exit_code)) from None


def raise_failed(outcomes: Iterable[Outcome]) -> None:
    """Fails the task if a piece of its work failed, with the first failure's line. A permanent error comes
    first, so that the task is retried only if everything may succeed later.

    A held lease and a refusal are not failures: the log shows them, and the next round tries again.
    """
    errors = [outcome.error for outcome in outcomes if outcome.state == "failed" and outcome.error]
    if not errors:
        return
    error = next((error for error in errors if not error.transient), errors[0])
    more = f" (and {len(errors) - 1} more, see the table)" if len(errors) > 1 else ""
    raise airflow_error(line(error.to_json()) + more, error.code, int(error.exit_code))
