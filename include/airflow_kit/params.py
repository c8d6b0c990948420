"""Form fields of the DAGs, each with title, description and limits, and the check that Airflow leaves out: unknown trigger keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Param

from jobs.contract.errors import UsageError


def integer(default: int, *, title: str, description: str, minimum: int, maximum: int) -> Param:
    """A whole number within minimum and maximum, both allowed."""
    return Param(default, type="integer", title=title, description=description, minimum=minimum, maximum=maximum)


def choice(default: str, *, title: str, description: str, values: Sequence[str]) -> Param:
    """One of `values`, as a list to pick from."""
    return Param(default, type="string", title=title, description=description, enum=list(values))


def refuse_unknown_keys(context: Mapping[str, Any]) -> None:
    """Airflow lets unknown trigger keys through to `params`, so a mistyped one would silently do nothing. Raises UsageError naming them."""
    declared = sorted(context["dag"].params)
    unknown = sorted(set(context["dag_run"].conf or {}) - set(declared))
    if unknown:
        what = f"unknown trigger {'key' if len(unknown) == 1 else 'keys'} {', '.join(map(repr, unknown))}"
        known = f"it takes {', '.join(declared)}" if declared else "it takes none"
        raise UsageError(f"{what}; {known}", context["dag"].dag_id, cli="trigger it again without them")
