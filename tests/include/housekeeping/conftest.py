"""Homes with real files, real runs and real checkpoints."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.include.housekeeping.homes import Home


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the home of each test is. It is always the same, because checkpoints name absolute paths
    (`kept`)."""
    return tmp_path_factory.mktemp("housekeeping") / "home"


@pytest.fixture
def compact(spark: Any) -> Iterator[None]:
    """Every third entry of the source log is compact, not every tenth: five runs show what twelve would."""
    interval = "spark.sql.streaming.fileSource.log.compactInterval"
    spark.conf.set(interval, "3")
    yield
    spark.conf.unset(interval)


@pytest.fixture
def home(place: Path, spark: Any) -> Iterator[Home]:
    """A file stream on the shared Spark session, in an empty home."""
    place.mkdir()
    yield Home.at(place, spark)
    shutil.rmtree(place)
