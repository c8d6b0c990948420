"""All DAG files, parsed by Airflow in a fresh process with a new AIRFLOW_HOME."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARSE = Path(__file__).with_name("parse.py")

Parse = Callable[[Path], dict[str, Any]]


def parse(root: Path, home: Path) -> dict[str, Any]:
    """What tests/dags/parse.py prints about root/dags."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "CAUDAL"))}
    environ = {
        **kept,
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": str(root),
        "PYTHONWARNINGS": "ignore",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    done = subprocess.run(
        [sys.executable, "-P", str(PARSE), str(root / "dags")],
        env=environ,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return facts


@pytest.fixture(scope="session")
def bag(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Facts of this checkout's DAGs: see parse.py."""
    return parse(ROOT, tmp_path_factory.mktemp("airflow"))


@pytest.fixture
def parsed(tmp_path: Path) -> Parse:
    """Parses another checkout."""
    home = tmp_path / "airflow"
    home.mkdir()
    return lambda root: parse(root, home)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what a DAG parse reads. A test may change it."""
    root = tmp_path / "copy"
    for part in ("dags", "include", "jobs/contract"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "jobs" / "__init__.py", root / "jobs")
    return root
