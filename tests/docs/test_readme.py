"""README's tables against the command line, the settings, the registry and the layout."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from include import settings, streams
from jobs.contract.disk.layout import FOLDERS

MEANT = {
    "exactly once": "exactly-once",
    "exactamente una vez": "exactly-once",
    "at least once": "at-least-once",
    "una vez al menos": "at-least-once",
}


def section(page: str, title: str) -> str:
    """The text below `## title`, up to the next heading of that level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
    assert found, f"no section {title}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of a Markdown table, head and rule left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def documented_verbs(page: str) -> set[str]:
    """`topics create` and `put` of the verbs' table, arguments left out."""
    cells = " ".join(row[0] for row in rows(section(page, "Verbs")))
    return {re.match(r"[a-z-]+(?: [a-z]+)*", name)[0] for name in re.findall(r"`([^`]+)`", cells)}  # type: ignore[index]


def known_verbs(verbs: dict[str, frozenset[str]]) -> set[str]:
    return {f"{verb} {noun}" for verb, nouns in verbs.items() for noun in nouns} | {
        verb for verb, nouns in verbs.items() if not nouns
    }


def test_every_verb_is_documented_and_none_is_invented(
    pages: dict[Path, str], verbs: dict[str, frozenset[str]]
) -> None:
    documented, known = documented_verbs(pages[Path("README.md")]), known_verbs(verbs)
    assert {"undocumented": known - documented, "invented": documented - known} == {
        "undocumented": set(),
        "invented": set(),
    }


def test_the_settings_table_is_the_one_of_the_settings_module(pages: dict[Path, str]) -> None:
    assert rows(section(pages[Path("README.md")], "Settings")) == rows(settings.__doc__ or "")


def test_the_settings_module_documents_every_variable_it_reads() -> None:
    tree = ast.parse(Path(settings.__file__).read_text(encoding="utf-8"))
    doc, names = tree.body[0], re.compile(r"CAUDAL_[A-Z_]+")
    read = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and names.fullmatch(node.value)
    }
    assert isinstance(doc, ast.Expr)
    assert read == {row[0] for row in rows(settings.__doc__ or "")}
    assert read, "no variable found at all"


def test_every_variable_that_a_page_names_is_read_somewhere(
    texts: dict[Path, str], pages: dict[Path, str]
) -> None:
    code = "\n".join(text for path, text in texts.items() if path not in pages)
    named = {name for text in pages.values() for name in re.findall(r"CAUDAL_[A-Z_]+", text)}
    assert {name for name in named if not re.search(rf"{name}\b", code)} == set()


@pytest.mark.parametrize(("page", "title"), [("README.md", "The picture"), ("README.es.md", "El dibujo")])
def test_the_streams_table_says_what_the_registry_says(pages: dict[Path, str], page: str, title: str) -> None:
    registry = streams.collect()[0]
    for name, source, sink, guarantee in rows(section(pages[Path(page)], title)):
        row = registry[name.strip("`")]
        assert MEANT[guarantee] == row.guarantee.partition(" ")[0], name
        for cell, end in ((source, row.source), (sink, row.sink)):
            assert cell.startswith("topic ") == hasattr(end, "partitions"), name
            assert (end.name if hasattr(end, "partitions") else getattr(end, "stream", row.name)) in cell, (
                name
            )


def test_every_folder_of_data_is_explained(pages: dict[Path, str]) -> None:
    text = section(pages[Path("README.md")], "Where is my file?")
    assert {
        re.split(r"[/`]", name)[0] for row in rows(text) for name in re.findall(r"`([^`]+)`", row[0])
    } == set(FOLDERS)


def test_the_spanish_page_is_one_page_and_starts_with_the_same_commands(pages: dict[Path, str]) -> None:
    english, spanish = pages[Path("README.md")], pages[Path("README.es.md")]
    assert spanish.count("\n") <= 80
    first = [re.findall(r"^\./caudal [a-z-]+", text, re.M)[:2] for text in (english, spanish)]
    assert first == [["./caudal demo", "./caudal show"]] * 2
