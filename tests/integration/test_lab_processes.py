"""Labs that only a process of their own tells the truth about: `./caudal lab` as it is typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from include import labs
from include.samples import bizums
from include.settings import ROOT
from tests.integration.runs import RUN_S


@pytest.mark.slow
@pytest.mark.spark
def test_state_in_python_finds_its_modules_where_nothing_but_the_shipped_jobs_is_on_the_path(tmp_path: Path) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CAUDAL_KAFKA", "PYTHON"))}
    environ = kept | {"CAUDAL_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-P", "-m", "include.cli", "lab", "estado_propio", "--json"]
    done = subprocess.run(line, env=environ, capture_output=True, text=True, timeout=RUN_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    row = labs.get("estado_propio")
    assert row.sample is not None
    lines = row.sample(row.values({}))["bizums.csv"].splitlines()
    facts = json.loads(done.stdout.splitlines()[-1])["facts"]
    assert facts["counts"] == Counter(bizums.person(line.split(";")[0]) for line in lines)
