"""Form fields of the DAGs, each with a title, a description and limits. Also checks for unknown trigger keys,
which Airflow does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from airflow.sdk import Param

from include.airflow_kit import failures
from jobs.contract.errors import UsageError


def integer(default: int, *, title: str, description: str, minimum: int, maximum: int) -> Param:
    """A whole number within minimum and maximum, both allowed."""
    return Param(
        default, type="integer", title=title, description=description, minimum=minimum, maximum=maximum
    )


def boolean(default: bool, *, title: str, description: str) -> Param:
    return Param(default, type="boolean", title=title, description=description)


def choice(default: str, *, title: str, description: str, values: Sequence[str], origin: str) -> Param:
    """A list to pick one of `values` from. `origin` says in words where the values come from, for pages that
    must stay true when the values change."""
    return Param(
        default,
        type="string",
        title=title,
        description=description,
        enum=list(values),
        **{"$comment": origin},
    )


def text(default: str, *, title: str, description: str, pattern: str, origin: str) -> Param:
    """A line of text that matches `pattern` as a whole. `origin` says in words what the pattern allows."""
    return Param(
        default,
        type="string",
        title=title,
        description=description,
        pattern=f"^({pattern})$",  # JSON schema searches; only with ^ and $ must the whole text match
        **{"$comment": origin},
    )


def refuse_unknown_keys(context: Mapping[str, Any]) -> None:
    """Raises UsageError for unknown trigger keys. Airflow passes them on to `params`, so a mistyped key would
    silently do nothing."""
    declared = sorted(context["dag"].params)
    unknown = sorted(set(context["dag_run"].conf or {}) - set(declared))
    if unknown:
        what = f"unknown trigger {'key' if len(unknown) == 1 else 'keys'} {', '.join(map(repr, unknown))}"
        known = f"it takes {', '.join(declared)}" if declared else "it takes none"
        raise UsageError(f"{what}; {known}", context["dag"].dag_id, cli="trigger it again without them")


@contextmanager
def known_params(context: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The form's values for the body of a task, once there are no unknown keys. A foreseen error of the body
    fails the task with one line."""
    with failures.one_line():
        refuse_unknown_keys(context)
        yield context["params"]
