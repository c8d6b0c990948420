"""Homes with real files, real runs and real checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.include.housekeeping.homes import Home


@pytest.fixture
def home(tmp_path: Path, spark: Any) -> Home:
    """A file stream, on the shared Spark session."""
    return Home.at(tmp_path, spark)
