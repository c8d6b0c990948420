"""A real run of a stream beside a lab, over the same sample files, in a home of the lab's own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from include import environment, streams
from include.housekeeping.files import after_run
from include.samples import put
from include.settings import Settings
from jobs.contract.errors import RunFailed


def run(settings: Settings, stream: str, folder: Path) -> None:
    """One run of `stream` over `folder`/muestras and its archiving, in the home `folder`/caudal; nothing when
    that home is there already.

    Raises RunFailed, or what `put` and archiving raise.
    """
    home = folder / "caudal"
    if home.exists():
        return
    config = replace(settings, home=home, environ={**settings.environ, "CAUDAL_HOME": str(home)})
    row = streams.get(stream)
    for file in sorted((folder / "muestras").iterdir()):
        put.file(config, row, file)
    environ = environment.base(config) | {"CAUDAL_PYTHON": sys.executable}
    launcher = str(config.root / "include/launch/launcher")
    line = [launcher, "--master", config.master, f"jobs/{stream}.py", "--stream", stream]
    together = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(line, env=environ, **together, text=True, check=False)  # type: ignore[call-overload]
    if done.returncode:
        what = f"la ejecución de Caudal que va al lado: {done.stdout.strip()[-300:]}"
        way_out = "lee el driver.log de ahí; después, otra vez el laboratorio"
        raise RunFailed(what, home / "runs" / stream, cli=way_out)
    if error := after_run.tidy(config, row, datetime.now(UTC)).error:
        raise error
