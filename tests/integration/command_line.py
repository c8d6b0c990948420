"""The command line as a process, for tests that use Caudal as a person does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from include import settings as caudal
from include.settings import ROOT, Settings

COMMAND = (sys.executable, "-P", "-m", "include.cli")  # what ./caudal executes
VERB_S = 400.0  # the longest verb is `demo`: 60 s on two free cores


def new_home(folder: Path, **variables: str) -> Settings:
    """Settings of a home at `folder`. Of Caudal's variables, only the cache comes from the environment."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CAUDAL_") or k == "CAUDAL_CACHE"}
    return caudal.load({**kept, "CAUDAL_HOME": str(folder), **variables})


def call(
    environ: Mapping[str, str],
    *words: str,
    command: Sequence[str] = COMMAND,
    root: Path = ROOT,
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    """Runs one verb of the checkout `root` with these variables, to its end. `options`: Popen's."""
    standard = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(
        [*command, *words],
        **{"cwd": root, "text": True, "timeout": VERB_S, "check": False, **standard, **options},
        env={**environ, "PYTHONPATH": str(root)},
    )


def answer(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The object that a verb prints as its last line with --json. The verb must have exited with 0."""
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def caudal_of(settings: Settings, *words: str, failpoint: str = "") -> tuple[int, str]:
    """Runs one verb in a home, killed at `failpoint` if one is named. Returns exit code and output."""
    done = call({**settings.environ, "CAUDAL_FAILPOINT": failpoint}, *words)
    return done.returncode, done.stdout + done.stderr
