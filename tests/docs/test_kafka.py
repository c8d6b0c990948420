"""The rows of docs/kafka.md and the tests that hold them (`@pytest.mark.fault`) are the same."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from include.settings import ROOT

MARK = "pytest.mark.fault"


def rows(page: str) -> list[str]:
    """First cells of the table."""
    lines = [line for line in page.splitlines() if line.startswith("| ") and line.count("|") == 4]
    return [line.split("|")[1].strip() for line in lines[1:]]


def held(tests: Path) -> Iterator[str]:
    """The rows that test functions name; read, not run."""
    for path in sorted(tests.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if MARK not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                calls = [
                    d for d in node.decorator_list if isinstance(d, ast.Call) and ast.unparse(d.func) == MARK
                ]
                yield from (ast.literal_eval(call.args[0]) for call in calls)


def test_every_row_is_held_by_a_test_and_every_fault_that_is_tested_has_a_row() -> None:
    listed = rows((ROOT / "docs/kafka.md").read_text(encoding="utf-8"))
    assert len(listed) == len(set(listed)) > 20
    assert set(listed) == set(held(ROOT / "tests"))


def test_a_row_without_a_test_is_found(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(
        'import pytest\n@pytest.mark.fault("a fault")\ndef test_one(): ...\ndef test_two(): ...\n'
    )
    assert list(held(tmp_path)) == ["a fault"]
    assert rows("| fault | what | do |\n|---|---|---|\n| a fault | b | c |\n| another | b | c |\n") == [
        "a fault",
        "another",
    ]
