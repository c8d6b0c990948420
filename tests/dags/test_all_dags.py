"""Rules for every DAG."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from include import streams

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SINGLE = (
    "archive_processed_files",
    "caudal_canary",
    "clean_checkpoints",
    "manage_stream",
    "reprocess_quarantine",
    "seed_kafka_topics",
)
FILES = {
    "broken_streams.py": set(),
    "streams.py": set(streams.collect()[0]),
    **{f"{name}.py": {name} for name in SINGLE},
}  # file -> its DAGs


def test_every_file_under_dags_is_registered_here_with_its_dags_and_loads(bag: dict[str, Any]) -> None:
    assert bag["errors"] == {}
    assert {p.name for p in (ROOT / "dags").iterdir() if p.suffix == ".py"} == {*FILES, "__init__.py"}
    found: dict[str, set[str]] = {name: set() for name in FILES}
    for name, dag in bag["dags"].items():
        found[dag["file"]].add(name)
    assert found == FILES


def test_every_dag_tells_an_operator_what_it_is(bag: dict[str, Any]) -> None:
    for name, dag in bag["dags"].items():
        assert len(dag["doc_md"] or "") > 100, name
        assert len(dag["description"] or "") > 10, name
        assert dag["tags"], name
        assert {t["owner"] for t in dag["tasks"]} == {"caudal"}, name


def test_every_dag_runs_once_at_a_time_in_utc_without_catching_up_and_is_not_paused(
    bag: dict[str, Any],
) -> None:
    for name, dag in bag["dags"].items():
        kept = {key: dag[key] for key in ("max_active_runs", "timezone", "start", "catchup", "paused")}
        # a run that waits for a person's answer must not hold up other people's runs
        at_once = 8 if name in ("manage_stream", "reprocess_quarantine") else 1
        assert kept == {
            "max_active_runs": at_once,
            "timezone": "UTC",
            "start": "2026-01-01T00:00:00+00:00",
            "catchup": False,
            "paused": False,
        }, name
        assert dag["timeout_s"], name


def test_every_param_has_title_description_and_limits_and_a_default_within_them(bag: dict[str, Any]) -> None:
    for name, dag in bag["dags"].items():
        for key, param in dag["params"].items():
            schema, where = param["schema"], f"{name}.{key}"
            assert schema["title"] and len(param["description"]) > 10, where
            if schema["type"] == "integer":
                assert schema["minimum"] <= param["default"] <= schema["maximum"], where
            elif schema["type"] == "boolean":
                # a form that just opened never drops, repeats or skips anything
                assert param["default"] is False, where
            elif "pattern" in schema:
                # a text field is empty at first
                assert param["default"] == "" and re.fullmatch(schema["pattern"], ""), where
            else:
                assert schema["type"] == "string" and param["default"] in schema["enum"], where


def test_a_parse_loads_no_spark_no_pandas_and_no_kafka_client(bag: dict[str, Any]) -> None:
    heavy = {"pyspark", "pandas", "kafka", "confluent_kafka", "duckdb", "pyarrow", "numpy", "typer", "rich"}
    assert heavy & set(bag["modules"]) <= {"rich"}  # rich is Airflow's own


def test_each_file_parses_in_under_a_second(bag: dict[str, Any]) -> None:
    assert set(bag["seconds"]) == set(FILES)
    assert {name: s for name, s in bag["seconds"].items() if s >= 1.0} == {}
