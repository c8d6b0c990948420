"""doctor as it is typed: exit code, lines, the last line's JSON, in a home that is sound and in broken
ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from include import settings as caudal
from include.settings import ROOT


def doctor(home: Path, *words: str, **variables: str) -> tuple[int, list[str], str]:
    keep = {k: v for k, v in os.environ.items() if not k.startswith("CAUDAL_")}
    environ = (
        keep
        | {
            "CAUDAL_HOME": str(home),
            "CAUDAL_CACHE": str(caudal.load().cache),
            "PYTHONPATH": str(ROOT),
            "NO_COLOR": "1",
        }
        | variables
    )
    done = subprocess.run(
        [sys.executable, "-P", "-m", "include.cli", "doctor", *words],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


def of(found: dict[str, Any], check: str) -> list[tuple[str, str]]:
    return [(f["state"], f["what"]) for f in found["findings"] if f["check"] == check]


def tree(home: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_mtime_ns) for path in home.rglob("*"))


def test_a_file_that_no_stream_reads_makes_it_exit_with_1_and_putting_it_right_with_0(tmp_path: Path) -> None:
    stray = tmp_path / "home" / "data" / "entrada" / "xyz" / "garbage.json"
    stray.parent.mkdir(parents=True)
    stray.write_text("?")
    before = tree(tmp_path / "home")
    code, lines, _ = doctor(tmp_path / "home", "--json")
    found = json.loads(lines[-1])
    assert of(found, "folders") == [("wrong", f"1 file in a folder that no stream reads [{stray.parent}]")]
    assert (code, found["ok"]) == (1, False)
    assert f"WRONG  folders: 1 file in a folder that no stream reads [{stray.parent}]" in "\n".join(lines)
    assert tree(tmp_path / "home") == before
    stray.unlink()
    code, lines, _ = doctor(tmp_path / "home", "--json")
    found = json.loads(lines[-1])
    assert [f for f in found["findings"] if f["state"] == "wrong"] == []
    assert (code, found["ok"], found["wrong"]) == (0, True, 0)
    assert {f["check"] for f in found["findings"]} >= {
        "python",
        "environment",
        "java",
        "versions",
        "jars",
        "class-data cache",
        "memory",
        "disk",
        "clock",
        "port",
        "home",
        "secrets",
        "service",
        "broker",
        "registry",
        "stream facturas_ficheros",
        "stream facturas_kafka",
        "stream notificaciones",
        "stream temperaturas",
        "stream temperaturas_maxima",
        "stream temperaturas_ventanas",
        "folders",
    }


def test_a_home_that_is_not_there_is_no_fault_and_is_not_made(tmp_path: Path) -> None:
    code, lines, _ = doctor(tmp_path / "none", "--quiet")
    assert (code, lines[:-1]) == (0, [])
    assert lines[-1].endswith("nothing is wrong")
    assert not (tmp_path / "none").exists()


def test_a_setting_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    code, lines, errors = doctor(tmp_path / "home", CAUDAL_AIRFLOW_PORT="many")
    assert (code, errors) == (1, "")
    assert lines[0].startswith(
        "WRONG  settings: CAUDAL_AIRFLOW_PORT='many' is not a port (1-65535) [CAUDAL_AIRFLOW_PORT]"
    )


@pytest.mark.slow
def test_a_configured_broker_that_is_away_is_wrong_within_seconds(tmp_path: Path) -> None:
    code, lines, _ = doctor(tmp_path / "home", "--json", CAUDAL_KAFKA_BOOTSTRAP="127.0.0.1:1")
    assert code == 1
    assert [state for state, _ in of(json.loads(lines[-1]), "broker")] == ["wrong"]
