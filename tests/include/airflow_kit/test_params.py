"""Form fields, and the check for keys that no field has."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError

from include.airflow_kit import params
from jobs.contract.errors import UsageError


def context(declared: dict[str, Any], conf: dict[str, Any] | None) -> dict[str, Any]:
    dag = DAG("d", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), params=declared)
    return {
        "dag": dag,
        "dag_run": SimpleNamespace(conf=conf),
        "params": {**dag.params.dump(), **(conf or {})},
    }


FIELDS = {
    "count": params.integer(0, title="Count", description="How many.", minimum=0, maximum=10),
    "topic": params.choice("a", title="Topic", description="Which.", values=["a", "b"], origin="a topic"),
}


@pytest.mark.parametrize("conf", [None, {}, {"count": 3}, {"count": 3, "topic": "b"}])
def test_declared_keys_pass(conf: dict[str, Any] | None) -> None:
    params.refuse_unknown_keys(context(FIELDS, conf))


def test_an_unknown_key_is_refused_by_name_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as raised:
        params.refuse_unknown_keys(context(FIELDS, {"count": 3, "cuont": 4, "x": 1}))
    assert str(raised.value) == (
        "usage: unknown trigger keys 'cuont', 'x'; it takes count, topic [d] -> trigger it again without them"
    )


def test_a_dag_without_fields_takes_no_key_at_all() -> None:
    with pytest.raises(UsageError, match=r"unknown trigger key 'fecha'; it takes none"):
        params.refuse_unknown_keys(context({}, {"fecha": "2026-01-01"}))


def test_a_task_gets_its_form_or_fails_without_a_retry() -> None:
    with params.known_params(context(FIELDS, {"count": 3})) as form:
        assert form == {"count": 3, "topic": "a"}
    with (
        pytest.raises(AirflowFailException, match="unknown trigger key 'x'"),
        params.known_params(context(FIELDS, {"x": 1})),
    ):
        pytest.fail("the body ran")


@pytest.mark.parametrize(
    ("field", "value"), [("count", 11), ("count", -1), ("count", "3"), ("topic", "c"), ("topic", None)]
)
def test_a_value_outside_the_limits_is_refused_by_the_schema(field: str, value: object) -> None:
    with pytest.raises(ParamValidationError):
        FIELDS[field].resolve(value)
