"""`./caudal docs`, on pages in a folder of their own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from include import settings
from include.cli.build import _pages as pages
from include.cli.build import docs
from jobs.contract.errors import ExitCode


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with an old page of errors and the page of DAGs that is (its making is slow, and tested with
    the real DAGs elsewhere)."""
    monkeypatch.setattr(settings, "load", lambda: replace(_LOADED, root=tmp_path))
    monkeypatch.setattr(pages, "dags_page", lambda root: "dags\n")
    monkeypatch.setattr(pages, "cli_page", lambda root: "cli\n")
    monkeypatch.setattr(pages, "help_page", lambda root: "help\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/errors.md").write_text("old\n")
    (tmp_path / "docs/DAGS.md").write_text("dags\n")
    return tmp_path


_LOADED = settings.load({})


def test_check_fails_by_name_and_writes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert docs.command(check=True, as_json=True) == ExitCode.FAILED
    out = capsys.readouterr().out.splitlines()
    assert "docs/errors.md is out of date  -> ./caudal docs" in out
    assert json.loads(out[-1]) == {
        "pages": [
            "docs/errors.md",
            "docs/DAGS.md",
            "docs/combinations.md",
            "docs/cli.md",
            "include/setup/help.txt",
        ],
        "differ": ["docs/errors.md", "docs/combinations.md", "docs/cli.md", "include/setup/help.txt"],
        "written": [],
    }
    assert (root / "docs/errors.md").read_text() == "old\n"


def test_docs_writes_what_differs_and_check_is_content_afterwards(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert docs.command(check=False, as_json=False) == ExitCode.DONE
    assert (root / "docs/errors.md").read_text() == pages.errors_page()
    assert "written docs/errors.md" in capsys.readouterr().out.splitlines()
    assert docs.command(check=True, as_json=False) == ExitCode.DONE
    assert "every page is up to date" in capsys.readouterr().out.splitlines()
