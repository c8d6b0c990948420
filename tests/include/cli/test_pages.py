"""The generated pages: made from the code, compared, written only where they differ."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from include.cli.build import _pages as pages
from include.cli.build._pages import Page
from include.settings import ROOT
from jobs.contract import errors
from jobs.contract.errors import ExitCode


def test_the_page_of_errors_is_what_the_tree_says() -> None:
    assert (ROOT / "docs" / "errors.md").read_text(encoding="utf-8") == pages.errors_page(), (
        "write it again: ./caudal docs"
    )


def test_every_error_has_a_section_with_its_own_words_and_exit_code() -> None:
    sections = dict(re.findall(r"^## ([a-z][a-z-]+)\n\n(.*?)(?=^## |\Z)", pages.errors_page(), re.M | re.S))
    ours = [
        kind
        for kind in errors.tree()
        if kind.__module__.startswith("jobs.contract.") and kind is not errors.CaudalError
    ]
    assert sorted(sections) == sorted(kind.code for kind in ours)
    for kind in ours:
        text = sections[kind.code]
        assert kind.__doc__ and " ".join(kind.__doc__.split()) in text
        assert f"Exit code {int(kind.exit_code)}." in text
        assert pages._escaped(kind.cli) in text


def test_no_two_errors_share_a_code() -> None:
    codes = [kind.code for kind in pages.kinds()]
    assert sorted(codes) == sorted(set(codes))


def test_every_exit_code_has_a_meaning_and_a_row() -> None:
    assert set(pages.MEANINGS) == set(ExitCode)
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", pages.errors_page(), re.M)
    assert [int(code) for code, _ in rows] == [*map(int, ExitCode), 129, 130, 141, 143]


def test_an_error_that_another_module_derives_is_not_on_the_page() -> None:
    class Foreign(errors.DataError):
        """Not of the tree."""

        code = "foreign"

    assert Foreign in set(errors.tree())
    assert "foreign" not in pages.errors_page()


def test_a_way_out_with_angle_brackets_is_not_taken_for_html() -> None:
    assert "&lt;stream&gt;" in pages.errors_page()
    assert not re.search(r"<\w", pages.errors_page())


def test_only_pages_that_differ_are_written_and_then_none_does(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    same, old = tmp_path / "docs/same.md", tmp_path / "docs/old.md"
    same.write_text("same\n")
    old.write_text("old\n")
    before = same.stat().st_ino
    found = (
        Page(Path("docs/same.md"), "same\n", "same\n"),
        Page(Path("docs/old.md"), "new\n", "old\n"),
        Page(Path("more/none.md"), "x\n", None),
    )
    assert pages.apply(tmp_path, found) == [Path("docs/old.md"), Path("more/none.md")]
    assert (old.read_text(), (tmp_path / "more/none.md").read_text(), same.stat().st_ino) == (
        "new\n",
        "x\n",
        before,
    )


@pytest.mark.airflow
def test_plan_makes_every_page_from_the_real_dags_and_changes_nothing(tmp_path: Path) -> None:
    found = pages.plan(ROOT)
    assert [str(page.path) for page in found] == [
        "docs/errors.md", "docs/DAGS.md", "docs/combinations.md", "docs/cli.md", "include/setup/help.txt",
    ]  # fmt: skip
    assert "### facturas_ficheros" in found[1].text
    assert [page.text == (ROOT / page.path).read_text(encoding="utf-8") for page in found] == [True] * 5, (
        "write it again: ./caudal docs"
    )
