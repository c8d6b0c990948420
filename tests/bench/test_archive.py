"""The benchmark of the archive, small: the home that it writes by hand must stay one that runs accept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from include.settings import ROOT


@pytest.mark.slow
def test_its_home_is_archived_whole_and_runs_find_nothing_to_do_before_and_after(tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, str(ROOT / "bench/archive.py"), "300", str(tmp_path)]
    done = subprocess.run(line, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    words = [said.split() for said in done.stdout.splitlines()]
    assert [[*one[:3]] for one in words if one[0] in ("plan", "apply", "after")] == [
        ["plan", "300", "files"],
        ["apply", "300", "files"],
        ["plan", "0", "files"],
        ["after", "a", "run"],
    ]
    assert sum(one[:2] == ["idle", "run,"] for one in words) == 4
    assert list(tmp_path.iterdir()) == []
