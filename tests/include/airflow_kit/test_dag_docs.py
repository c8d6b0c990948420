"""docs/DAGS.md as it lies in the checkout; tests/include/test_pages.py compares it with the real DAGs."""

from __future__ import annotations

import ast
import re

from include import streams
from include.settings import ROOT

PAGE = (ROOT / "docs" / "DAGS.md").read_text(encoding="utf-8")


def test_a_table_of_all_dags_comes_first_and_links_to_their_sections() -> None:
    table, _, sections = PAGE.partition("\n## ")
    listed = re.findall(r"^\| \[(\w+)\]\(#\1\) \| .{10,} \| (?:`.+`|when triggered) \|$", table, re.M)
    headings = re.findall(r"^#{2,3} (\w+)$", f"## {sections}", re.M)
    assert listed == headings
    assert set(streams.collect()[0]) < set(listed)


def test_no_docstring_stands_there_twice() -> None:
    files = [path.read_text(encoding="utf-8") for path in (ROOT / "dags").glob("[!_]*.py")]
    manuals = [ast.get_docstring(ast.parse(text)) or "" for text in files]
    manuals += [stream.doc.strip() for stream in streams.collect()[0].values()]
    assert [manual for manual in manuals if PAGE.count(manual) != 1] == []
