"""docs/README.md leads to every page of docs/, one line each."""

from __future__ import annotations

import re
from pathlib import Path

INDEX = Path("docs/README.md")


def test_every_page_of_docs_has_one_line_in_the_index(pages: dict[Path, str]) -> None:
    listed = re.findall(r"^- \[[^\]]+\]\(([^)#]+)\): .+\.$", pages[INDEX], re.M)
    ours = sorted(
        str(path.relative_to("docs")) for path in pages if path.parts[0] == "docs" and path != INDEX
    )
    assert sorted(page for page in listed if not page.startswith("..")) == ours


def test_a_decision_is_listed_under_its_title(pages: dict[Path, str]) -> None:
    titles = {
        path.name: text.partition("\n")[0].partition(" · ")[2]
        for path, text in pages.items()
        if path.parent.name == "decisions"
    }
    listed = dict(re.findall(r"^- \[\d{4}\]\(decisions/([^)]+)\): (.+)\.$", pages[INDEX], re.M))
    assert listed == titles
