"""A Settings of the test's own, and the machine's real cache where the real jars are meant."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from include import settings
from include.settings import Settings


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., Settings]:
    """`own(VARIABLE="x")`: settings with home and cache in tmp_path; a variable given as None is taken
    away."""

    def make(**variables: str | None) -> Settings:
        env = dict(os.environ) | {
            "CAUDAL_HOME": str(tmp_path / "home"),
            "CAUDAL_CACHE": str(tmp_path / "cache"),
        }
        return settings.load({k: v for k, v in (env | variables).items() if v is not None})

    return make


@pytest.fixture
def real() -> Settings:
    return settings.load()
