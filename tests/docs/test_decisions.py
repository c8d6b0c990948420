"""docs/decisions: one dated page per decision, numbered without a gap, each with its three parts."""

from __future__ import annotations

import re

from include.settings import ROOT

PAGES = sorted((ROOT / "docs" / "decisions").glob("*.md"))


def test_decisions_are_numbered_without_a_gap() -> None:
    assert PAGES
    assert [page.name[:5] for page in PAGES] == [f"{number:04d}-" for number in range(1, len(PAGES) + 1)]


def test_a_decision_has_its_number_a_date_and_three_parts() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {page.name[:4]} · "), page.name
        assert re.search(r"^20\d\d-\d\d-\d\d · accepted$", text, re.M), page.name
        parts = re.findall(r"^## (\w+)", text, re.M)
        assert parts[:2] == ["Context", "Choice"], page.name
        assert "Consequences" in parts, page.name
