"""./caudal where nothing is installed answers help, the version and a wrong verb at once, and makes
nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from include import labs
from include.cli import __main__ as front
from include.cli.build import _pages as pages
from include.settings import ROOT

DOOR = ROOT / "caudal"
SHELLS = [shell for shell in ("dash", "bash") if shutil.which(shell)]


def call(*words: str, shell: str = SHELLS[0], **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs ./caudal with a cache that cannot be made (below /proc), so that an installation would fail."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CAUDAL_", "PYTHON"))}
    environ = kept | {"CAUDAL_CACHE": "/proc/none", "CAUDAL_PYTHON": sys.executable} | variables
    line = [str(shutil.which(shell)), str(DOOR), *words]
    return subprocess.run(
        line, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )


def titles() -> list[str]:
    text = (ROOT / "include/setup/help.txt").read_text(encoding="utf-8")
    return [line.removeprefix("=== ") for line in text.splitlines() if line.startswith("=== ")]


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    if not front.app.registered_commands:
        front.collect()
    return front.app


def test_the_pages_are_what_the_command_line_says() -> None:
    assert (ROOT / "include/setup/help.txt").read_text(encoding="utf-8") == pages.help_page(ROOT), (
        "write it again: ./caudal docs"
    )


def test_every_verb_noun_and_lab_has_its_page(app: typer.Typer) -> None:
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    expected = {f"caudal {verb}" for verb in verbs}
    expected |= {
        f"caudal {verb} {noun}" for verb, group in verbs.items() for noun in getattr(group, "commands", ())
    }
    expected |= {f"caudal lab {name}" for name in labs.collect()[0]} | {"caudal", "caudal --version"}
    assert sorted(titles()) == sorted(expected)


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("generation", "list", "-h"),
        ("run", "facturas_kafka", "--plan", "-h"),
        ("lab", "camino", "-h"),
    ],
)
def test_the_door_prints_what_the_command_line_itself_would(words: tuple[str, ...]) -> None:
    environ = {**os.environ, "COLUMNS": "80"}
    line = [sys.executable, "-P", "-m", "include.cli", *words]
    real = subprocess.run(line, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    for done in (call(*words, shell=shell) for shell in SHELLS):
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == real.stdout


def test_a_lab_has_its_own_page_and_one_of_that_name_is_not_needed() -> None:
    assert call("lab", "camino", "--sink", "kafka", "--help").stdout.startswith(
        "Uso: caudal lab camino [OPCIONES]\n"
    )
    assert call("lab", "nada", "--help").stdout.startswith("Usage: caudal lab ")


def test_no_word_is_the_whole_help_and_the_version_is_that_of_the_project() -> None:
    assert call().stdout == call("--help").stdout == call("-h").stdout
    assert call("--version").stdout == "caudal 0.1.0\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("statu",), "No such command 'statu'. Did you mean 'status' or 'setup'? -> ./caudal --help"),
        (("zzz", "--help"), "No such command 'zzz'. -> ./caudal --help"),
        (
            ("generation", "rolover", "x"),
            "No such command 'rolover'. Did you mean 'rollover'? -> ./caudal generation --help",
        ),
        (("topics",), "Missing command. -> ./caudal topics --help"),
        (("--debug",), "Missing command. -> ./caudal --help"),
        (("*\n\033[31m",), "No such command '?'. -> ./caudal --help"),
        (("=== caudal",), "No such command '?'. -> ./caudal --help"),
    ],
)
def test_what_is_no_verb_is_one_line_and_64(words: tuple[str, ...], says: str) -> None:
    done = call(*words)
    assert (done.returncode, done.stdout, done.stderr) == (64, "", f"caudal: usage: {says}\n")


def test_help_needs_no_python_and_no_other_program(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")  # as a Python 3.9 answers the door's question
    old.chmod(0o755)
    assert call("up", "--help", PATH=str(tmp_path), CAUDAL_PYTHON="").stdout.startswith("Usage: caudal up ")
    assert call("up", "--help", CAUDAL_PYTHON=str(old)).stdout.startswith("Usage: caudal up ")
    wrong = call("statu", PATH=str(tmp_path), CAUDAL_PYTHON="")
    assert (wrong.returncode, wrong.stderr.splitlines()[-1]) == (
        64,
        "caudal: usage: No such command 'statu'. -> ./caudal --help",
    )
    for tool in ("cat", "sha256sum"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    done = call("up", PATH=str(tmp_path), CAUDAL_PYTHON="")
    assert (done.returncode, done.stderr.count("\n")) == (78, 1)
    assert "no Python >= 3.11 in PATH" in done.stderr


def test_a_verb_that_has_to_run_still_begins_to_install() -> None:
    """Where nothing can be made, the error is one line without a stack trace."""
    for words in (
        ("status",),
        ("lab", "camino"),
        ("generation", "list", "facturas_kafka"),
        ("put", "s", "--", "--help"),
    ):
        done = call(*words)
        assert (done.returncode, done.stdout) == (78, ""), words
        assert done.stderr.startswith("caudal: installation: ") and done.stderr.count("\n") == 1, words
