"""README in both languages: short, with the registry's streams, the same commands, and verbs that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from include import streams
from include.settings import ROOT
from tests.docs.tables import rows, section

MEANT = {
    "exactly once": "exactly-once",
    "exactamente una vez": "exactly-once",
    "at least once": "at-least-once",
    "una vez al menos": "at-least-once",
}
READMES = {
    "README.md": "The six verbs to know first",
    "README.es.md": "Los seis verbos que conviene saber primero",
}
MOST_LINES, MOST_WORDS = 120, 900  # what one reads without stopping; tables and code count, too
MOST_BYTES = 150_000  # of a picture: what a page may cost a reader on a slow line


@pytest.mark.parametrize("page", READMES)
def test_a_readme_is_short(pages: dict[Path, str], page: str) -> None:
    text = pages[Path(page)]
    assert text.count("\n") <= MOST_LINES
    assert len(text.split()) <= MOST_WORDS


@pytest.mark.parametrize("page", READMES)
def test_the_streams_table_says_what_the_registry_says(pages: dict[Path, str], page: str) -> None:
    registry = streams.collect()[0]
    table = rows(section(pages[Path(page)], "Streams"))
    assert sorted(row[0].strip("`") for row in table) == sorted(registry)
    for name, source, sink, guarantee in table:
        row = registry[name.strip("`")]
        assert MEANT[guarantee] == row.guarantee.partition(" ")[0], name
        for cell, end in ((source, row.source), (sink, row.sink)):
            assert cell.startswith("topic ") == hasattr(end, "partitions"), name
            assert (end.name if hasattr(end, "partitions") else getattr(end, "stream", row.name)) in cell, (
                name
            )


def test_both_readmes_have_the_same_commands_and_links(pages: dict[Path, str]) -> None:
    english, spanish = (pages[Path(page)] for page in READMES)
    commands = [
        re.findall(r"\./caudal [a-z-]+", section(text, title))
        for text, title in zip((english, spanish), READMES.values(), strict=True)
    ]
    assert commands[0] == commands[1]
    assert len(commands[0]) == 7, "six verbs, and --help"
    first = [re.findall(r"^\./caudal [a-z-]+", text, re.M) for text in (english, spanish)]
    assert first[0] == first[1]
    assert first[0][:2] == ["./caudal demo", "./caudal show"]
    links = [set(re.findall(r"\]\(([^)]+)\)", text)) - set(READMES) for text in (english, spanish)]
    assert links[0] == links[1]


def test_pictures_are_small() -> None:
    pictures = [*(ROOT / "docs/pictures").iterdir(), ROOT / "docs/flow.svg"]
    assert len(pictures) > 1
    assert [path.name for path in pictures if path.stat().st_size > MOST_BYTES] == []
