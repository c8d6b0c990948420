"""CONTRIBUTING.md, the pre-commit hook and the templates: one screen, one list of checks, no download."""

from __future__ import annotations

import shlex
from pathlib import Path

import yaml

from include.cli.build import test as verb
from include.settings import ROOT


def test_contributing_fits_one_screen(pages: dict[Path, str]) -> None:
    assert pages[Path("CONTRIBUTING.md")].count("\n") <= 50


def test_the_hook_runs_the_checks_of_caudal_test_in_the_projects_own_environment() -> None:
    """There is one list of checks: `./caudal test` runs the same (see tests/include/cli/test_test.py)."""
    repos = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    (hook,) = repos[0]["hooks"]
    assert shlex.split(hook["entry"]) == ["./caudal", "test", "--checks"]
    assert (hook["language"], hook["always_run"], hook["pass_filenames"]) == ("system", True, False)


def test_contributing_names_what_the_checks_are(pages: dict[Path, str]) -> None:
    line = next(
        line
        for line in pages[Path("CONTRIBUTING.md")].splitlines()
        if line.startswith("./caudal test --checks")
    )
    assert [name for name in verb.CHECKS if name != "docs" and name not in line] == []
    assert "generated pages" in line


def test_the_templates_are_there(pages: dict[Path, str]) -> None:
    templates = {path: text for path, text in pages.items() if path.parts[0] == ".github"}
    assert Path(".github/PULL_REQUEST_TEMPLATE.md") in templates
    issues = [text for path, text in templates.items() if path.parent.name == "ISSUE_TEMPLATE"]
    assert len(issues) >= 2
    for text in issues:
        assert set(yaml.safe_load(text.split("---")[1])) >= {"name", "about"}
