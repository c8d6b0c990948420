"""A run on the shared session uses the schema, rules and transform of the stream's job."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from include import streams
from include.settings import ROOT
from jobs.core import run
from tests.integration import here


@pytest.mark.parametrize("name", sorted(streams.collect()[0]))
def test_every_job_binds_the_schema_rules_and_transform_that_the_tests_run(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound: dict[str, Any] = {}
    monkeypatch.setattr(run, "main", lambda **given: bound.update(given))
    runpy.run_path(str(ROOT / f"jobs/{name}.py"), run_name="__main__")
    subject, transform = here.BOUND[name]
    assert (bound["schema"], dict(bound.get("rules") or {}), bound["transform"]) == (
        subject.schema,
        dict(subject.rules),
        transform,
    )
