"""Links, files and commands that a page or a docstring names exist."""

from __future__ import annotations

import re
from pathlib import Path

from include.settings import ROOT
from jobs.contract import errors

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
NAMED = re.compile(
    r"(?<![\w./<{$-])((?:bench|dags|docs|include|jobs|tests|vendor)/[\w./-]*\w"
    r"\.(?:py|md|txt|lock|svg|properties|json|jsonl|yaml))\b"
)
SENTENCE = ("makes", "takes")  # "another ./caudal makes this": its subject, not a command
COMMAND = re.compile(r"\./caudal ([a-z][a-z-]*)(?: ([a-z]+)\b)?")


def anchors(page: str) -> set[str]:
    """As GitHub makes them from headings."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def dead_links(page: Path, text: str) -> list[str]:
    dead = []
    for target in LINK.findall(FENCE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (ROOT / page).parent / name if name else ROOT / page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            dead.append(f"{page}: {target}")
    return dead


def missing_verbs(text: str, verbs: dict[str, frozenset[str]]) -> list[str]:
    found = []
    for verb, noun in COMMAND.findall(text):
        if verb not in (*verbs, *SENTENCE) or (verbs.get(verb) and noun and noun not in verbs[verb]):
            found.append(f"./caudal {verb} {noun}".strip())
    return found


def test_every_link_of_a_page_leads_somewhere(pages: dict[Path, str]) -> None:
    assert [link for page, text in pages.items() for link in dead_links(page, text)] == []


def test_a_dead_link_and_a_dead_anchor_are_found() -> None:
    text = "[a](docs/none.md) [b](#nowhere) [c](docs/errors.md#lease-held) [d](https://example.org)"
    text += " ![e](docs/flow.svg)"
    assert dead_links(Path("README.md"), text) == ["README.md: docs/none.md", "README.md: #nowhere"]


def test_a_verb_or_a_noun_that_is_gone_is_found(verbs: dict[str, frozenset[str]]) -> None:
    text = "`./caudal show S`, ./caudal topics list, ./caudal shwo S, ./caudal topics drop,"
    text += " another ./caudal makes this"
    assert missing_verbs(text, verbs) == ["./caudal shwo", "./caudal topics drop"]


def test_every_file_that_a_page_names_exists(pages: dict[Path, str]) -> None:
    # the page about new-stream shows files that the reader makes
    made = {
        "include/streams/ventas.py",
        "jobs/ventas.py",
        "jobs/domain/ventas.py",
        "tests/jobs/domain/test_ventas.py",
    }
    gone = {
        (str(page), name)
        for page, text in pages.items()
        for name in NAMED.findall(text)
        if name not in made and not (ROOT / name).exists()
    }
    assert gone == set()


def test_every_file_that_the_code_names_exists(texts: dict[Path, str]) -> None:
    ours = {
        path: text
        for path, text in texts.items()
        if path.suffix == ".py" and path.parts[0] in ("include", "jobs", "dags")
    }
    gone = {
        (str(path), name)
        for path, text in ours.items()
        for name in NAMED.findall(text)
        if not (ROOT / name).exists()
    }
    assert gone == set()


def test_every_command_that_a_page_names_is_a_verb(
    pages: dict[Path, str], verbs: dict[str, frozenset[str]]
) -> None:
    assert [(str(page), word) for page, text in pages.items() for word in missing_verbs(text, verbs)] == []


def test_every_way_out_of_an_error_is_a_verb(verbs: dict[str, frozenset[str]]) -> None:
    ways = {kind.__name__: f"{kind.cli} {kind.ui}" for kind in errors.tree()}
    assert [(name, word) for name, way in ways.items() for word in missing_verbs(way, verbs)] == []


def test_every_command_in_the_code_is_a_verb(
    texts: dict[Path, str], verbs: dict[str, frozenset[str]]
) -> None:
    ours = {
        path: text
        for path, text in texts.items()
        if path.suffix == ".py" and path.parts[0] in ("include", "jobs", "dags")
    }
    wrong = {(str(path), word) for path, text in ours.items() for word in missing_verbs(text, verbs)}
    assert wrong == set()
