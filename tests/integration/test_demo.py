"""`./caudal demo` twice in one home: what the first left must not change what the second counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from include.services import processes, stack
from include.services.demo import STREAMS
from include.settings import Settings
from tests.integration.command_line import answer, call, new_home

NUMBERS_PER_DEMO = 13


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Settings]:
    settings = new_home(tmp_path / "home")
    yield settings
    stack.down(settings)
    assert processes.marked(settings.home) == set()


@pytest.mark.torture
@pytest.mark.airflow
@pytest.mark.broker
@pytest.mark.spark
@pytest.mark.timeout(900)
def test_the_demo_agrees_with_the_generator_the_first_time_and_the_second(config: Settings) -> None:
    first, second = (answer(call(config.environ, "demo", "--json")) for _ in range(2))
    for found in (first, second):
        assert found["agrees"] is True
        assert found["states"] == dict.fromkeys(STREAMS, "success")
        assert len(found["checks"]) == NUMBERS_PER_DEMO
        assert [check for check in found["checks"] if check["expected"] != check["found"]] == []
    lines = [[c["found"] for c in found["checks"] if c["what"] == "lines"] for found in (first, second)]
    assert lines[0] != lines[1]  # other invoices: each demo has counted its own
