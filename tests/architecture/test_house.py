"""Rules of this project that no linter can check."""

from __future__ import annotations

import ast
import gc
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from include.settings import ROOT

FILES = sorted(path for name in ("jobs", "include", "dags", "bench") for path in (ROOT / name).rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION, MOST_MODULES = 380, 50, 15
ONE_TREE = ROOT / "jobs/contract/errors.py"  # an error tree is read in one piece


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    """Switches the garbage collector off: Python 3.11 fails to parse a file if a finalizer runs meanwhile,
    and py4j has some (SystemError: AST constructor recursion depth mismatch)."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    )


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of its body alone: the options of a verb are a table in its signature."""
    return (function.end_lineno or 0) - function.body[0].lineno + 1


def test_no_file_and_no_function_has_outgrown_its_room() -> None:
    texts = {str(path.relative_to(ROOT)): path for path in FILES if path != ONE_TREE}
    long = [
        name
        for name, path in texts.items()
        if len(path.read_text(encoding="utf-8").splitlines()) > LONGEST_FILE
    ]
    long += [
        f"{name}:{f.name}"
        for name, path in texts.items()
        for f in functions(path)
        if body_lines(f) > LONGEST_FUNCTION
    ]
    assert long == []


@pytest.mark.parametrize("folder", ["jobs", "dags", "include"])
def test_no_file_that_may_come_first_on_the_path_is_named_like_an_installed_module(folder: str) -> None:
    names = {path.stem for path in (ROOT / folder).glob("*.py")} - {"__init__", "__main__"}
    assert {name for name in names if name in sys.stdlib_module_names or find_spec(name)} == set()


def test_no_package_has_more_modules_than_a_reader_keeps_in_mind() -> None:
    packages = Counter(path.parent for path in FILES if path.name != "__init__.py")
    assert {str(p.relative_to(ROOT)): n for p, n in packages.items() if n > MOST_MODULES} == {}


@pytest.mark.parametrize(
    ("contract", "exempt"),
    [
        ("Only airflow_kit and dags import airflow", {"airflow_kit"}),
        ("No layer below the command line draws on a terminal", {"cli"}),
        (
            "The engine does not import the wing of the course",
            {"cli", "environment", "labs", "samples", "scaffold", "settings", "setup", "torture"},
        ),
    ],
)
def test_a_contract_that_lists_packages_lists_every_one(contract: str, exempt: set[str]) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (listed,) = [set(c["source_modules"]) for c in contracts if c["name"].startswith(contract)]
    rooms = {path.stem for path in (ROOT / "include").iterdir() if path.suffix == ".py" or path.is_dir()}
    rooms -= {"__init__", "__pycache__"}
    assert {name.removeprefix("include.") for name in listed if name.startswith("include.")} == rooms - exempt
