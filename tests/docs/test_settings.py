"""docs/settings.md says the same as the settings module and the allow-list of the environment."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from include import environment, settings
from tests.docs.tables import rows, section

PAGE = Path("docs/settings.md")


def test_the_settings_table_is_the_one_of_the_settings_module(pages: dict[Path, str]) -> None:
    assert rows(section(pages[PAGE], "Variables")) == rows(settings.__doc__ or "")


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


def test_who_gets_which_variable_is_what_the_allow_list_says(pages: dict[Path, str]) -> None:
    documented: dict[str, set[str]] = {"drivers": set(), "services": set(), "tests": set()}
    for who, names in rows(section(pages[PAGE], "What your environment passes on")):
        for one in who.split(", "):
            documented[one] |= set(re.findall(r"`([^`]+)`", names))
    drivers = set(environment.EVERYWHERE)
    services, tests = (
        {name.upper() for name in more} | drivers for more in (environment.SERVICES, environment.TESTS)
    )
    assert documented == {"drivers": drivers, "services": services, "tests": tests}
