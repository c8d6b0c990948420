"""Sections and tables of Markdown pages."""

from __future__ import annotations

import re


def section(page: str, title: str) -> str:
    """The text below `## title`, up to the next heading of that level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
    assert found, f"no section {title}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of a Markdown table, head and rule left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
