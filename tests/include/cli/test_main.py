"""The front of the command line: a wrong word is one line and exit 64, whatever the library below makes of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from include.settings import ROOT


def caudal(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-P", "-m", "include.cli", *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nada"], "No such command 'nada'"),
        (["--bogus"], "No such option: --bogus"),
        (["put"], "Missing argument 'stream'"),
        (["show", "facturas_ficheros", "--rows", "many"], "Invalid value for '--rows'"),
        (["show", "nada"], "unknown-stream: no stream 'nada'"),
        (["run", "../etc"], "unknown-stream"),
        (["torture", "--stream", "facturas_kafka"], "usage: no series of kills for 'facturas_kafka'"),
    ],
)
def test_a_wrong_word_is_one_line_on_stderr_and_exit_64(words: list[str], says: str) -> None:
    done = caudal(*words)
    assert done.returncode == 64
    assert done.stdout == ""
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_no_word_at_all_is_the_help_page_under_the_projects_name() -> None:
    done = caudal()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().startswith("Usage: caudal [OPTIONS] COMMAND")
