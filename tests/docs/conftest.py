"""The texts of the checkout and the verbs of the command line, for the tests that compare them.

They are read from files: git is not needed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from include.cli import __main__ as front
from include.settings import ROOT

# What runs leave behind is not part of the project. Neither are logs (a JVM that crashed leaves one) and
# hidden folders, except for .ci and .github.
_MADE = ("var", "__pycache__", ".cache", ".git")  # .git is a file in a worktree


def tracked(root: Path = ROOT) -> Iterator[Path]:
    """The files of the project, relative to the checkout."""
    for folder, below, names in os.walk(root):
        below[:] = sorted(
            d for d in below if d not in _MADE and (not d.startswith(".") or d in (".ci", ".github"))
        )
        yield from (
            Path(folder, name).relative_to(root)
            for name in sorted(names)
            if name not in _MADE and not name.endswith(".log")
        )


@pytest.fixture(scope="session")
def texts() -> dict[Path, str]:
    """Every text file of the checkout: relative path -> content. Bytes that are not UTF-8 (checksums, test
    data) become \\xNN."""
    return {
        path: (ROOT / path).read_bytes().decode("utf-8", "backslashreplace")
        for path in tracked()
        if path.suffix not in (".whl", ".png", ".jar")
    }


@pytest.fixture(scope="session")
def pages(texts: dict[Path, str]) -> dict[Path, str]:
    """The Markdown pages among them."""
    return {path: text for path, text in texts.items() if path.suffix == ".md"}


@pytest.fixture(scope="session")
def verbs() -> dict[str, frozenset[str]]:
    """The real command line: verb -> its nouns, none for a plain verb."""
    if not front.app.registered_commands:
        front.collect()
    commands = typer.main.get_command(front.app).commands  # type: ignore[attr-defined]
    return {name: frozenset(getattr(command, "commands", {})) for name, command in commands.items()}
