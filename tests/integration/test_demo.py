"""`./caudal demo` twice in one home: what the first left must not change what the second counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include import settings as caudal
from include.services import processes, stack
from include.services.demo import STREAMS
from include.settings import ROOT, Settings

NUMBERS_PER_DEMO = 13


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Settings]:
    keep = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CAUDAL_") or name == "CAUDAL_CACHE"
    }
    settings = caudal.load({**keep, "CAUDAL_HOME": str(tmp_path / "home")})
    yield settings
    stack.down(settings)
    assert processes.marked(settings.home) == set()


def demo(config: Settings) -> dict[str, Any]:
    line = [sys.executable, "-m", "include.cli", "demo", "--json"]
    done = subprocess.run(
        line, cwd=ROOT, env=dict(config.environ), capture_output=True, text=True, timeout=400, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.torture
@pytest.mark.airflow
@pytest.mark.broker
@pytest.mark.spark
@pytest.mark.timeout(900)
def test_the_demo_agrees_with_the_generator_the_first_time_and_the_second(config: Settings) -> None:
    first, second = demo(config), demo(config)
    for found in (first, second):
        assert found["agrees"] is True
        assert found["states"] == dict.fromkeys(STREAMS, "success")
        assert len(found["checks"]) == NUMBERS_PER_DEMO
        assert [check for check in found["checks"] if check["expected"] != check["found"]] == []
    lines = [[c["found"] for c in found["checks"] if c["what"] == "lines"] for found in (first, second)]
    assert lines[0] != lines[1]  # other invoices: each demo has counted its own
