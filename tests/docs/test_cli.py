"""docs/cli.md: what the commands say, every one of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from include.cli.build import _pages as generated
from include.cli.build import _reference
from include.settings import ROOT

PAGE = Path("docs/cli.md")


def known_verbs(verbs: dict[str, frozenset[str]]) -> set[str]:
    """A plain verb, a noun's verb, and what nouns stand below."""
    return {f"{verb} {noun}" for verb, nouns in verbs.items() for noun in nouns} | set(verbs)


def test_the_page_is_what_the_command_line_says(pages: dict[Path, str]) -> None:
    assert pages[PAGE] == generated.cli_page(ROOT), "write it again: ./caudal docs"


def test_every_verb_is_documented_and_none_is_invented(
    pages: dict[Path, str], verbs: dict[str, frozenset[str]]
) -> None:
    documented, known = set(re.findall(r"^### (.+)$", pages[PAGE], re.M)), known_verbs(verbs)
    assert {"undocumented": known - documented, "invented": documented - known} == {
        "undocumented": set(),
        "invented": set(),
    }


def test_a_verb_is_sent_on_to_another_page_only_where_there_is_such_a_verb(
    verbs: dict[str, frozenset[str]],
) -> None:
    assert set(_reference._MORE) - set(verbs) == set()


@pytest.mark.parametrize(
    "line",
    [
        "`./caudal generation rewind STREAM --to-batch N`",
        "`./caudal put STREAM FILE...`",
        "`./caudal test [TESTS]...`",
        "| `--rows N` | How many rows or messages. [default: 10; 1 to 10000] |",
        "| `--batch K` | Only from this batch of the current generation. [0 or more] |",
        "| `--schedule TEXT` | Cron expression in UTC; none: started by hand only."
        " [default: \\*/5 \\* \\* \\* \\*] |",
    ],
)
def test_usage_and_options_stand_as_they_are_typed(pages: dict[Path, str], line: str) -> None:
    assert line in pages[PAGE].splitlines()


def test_no_option_is_left_out(pages: dict[Path, str]) -> None:
    """Compared with the help that needs no installation, which click writes."""
    text = (ROOT / "include/setup/help.txt").read_text(encoding="utf-8")
    for part in re.split(r"^=== ", text, flags=re.M)[1:]:
        title, _, body = part.partition("\n")
        name = title.removeprefix("caudal ")
        if name in ("caudal", "--version") or name.startswith("lab "):
            continue
        section = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", pages[PAGE], re.M | re.S)
        assert section, name
        options = set(re.findall(r"^  (--[a-z-]+)", body, re.M)) - {"--help"}
        assert options <= set(re.findall(r"--[a-z-]+", section[1])), name
