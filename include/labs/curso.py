"""docs/curso.md as data: the tables that lead from a section of the course to a stream, lab or notebook, its
command and the code to read.

The page is what people read and edit; `./caudal lab` shows it, so the two cannot differ. A table counts when
its heading has a column `comando`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from jobs.contract.errors import ConfigError

_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


@dataclass(frozen=True)
class Row:
    """`part`: the page's heading above the table; `what`: the second cell; `command`: without ./caudal;
    `files`: relative to the checkout."""

    part: str
    section: str
    what: str
    command: str
    files: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        return shlex.split(self.command)

    def named(self, known: Collection[str]) -> str:
        """The one of `known` that the row is about: its second cell, else the first that its command names;
        empty where there is none."""
        return next((word for word in (self.what.strip("`"), *self.words[1:]) if word in known), "")


def rows(root: Path) -> list[Row]:
    """Of the checkout's page, in its order. Raises ConfigError for a page that is gone, or a row that cannot
    be read."""
    page = root / "docs" / "curso.md"
    try:
        text = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "the page of the course cannot be read", page, cli="take docs/curso.md of the checkout again"
        ) from error
    return parse(text)


def parse(text: str) -> list[Row]:
    """The rows of the page's text. Raises ConfigError, which names a row without section, command or file."""
    rows: list[Row] = []
    part, counts = "", False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if line.startswith("#"):
            part = line.lstrip("#").strip()
        elif not cells:
            counts = False
        elif "comando" in cells:
            counts = True
        elif counts and not set(line) <= set("|-: "):
            rows.append(_row(part, cells))
    return rows


def _row(part: str, cells: list[str]) -> Row:
    files = tuple(text for text, _ in _LINK.findall(cells[-1]))
    command = _CODE.fullmatch(cells[2]) if len(cells) == 4 else None
    if not command or not command[1].startswith("./caudal ") or not cells[0] or not files:
        what = f"not a row of section, name, command, file: {' | '.join(cells)[:120]!r}"
        raise ConfigError(what, "docs/curso.md", cli="mend that row")
    return Row(part, cells[0], cells[1], command[1].removeprefix("./caudal "), files)
