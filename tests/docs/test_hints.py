"""Every `./caudal …` that the code prints as a remedy is a command that the command line takes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from include.cli import __main__ as front
from include.settings import ROOT

FOLDERS = ("include", "jobs", "dags", "bench")
COMMAND = re.compile(r"(?<!another )\./caudal((?: +(?!\./caudal|-->)[^\s:;,()`\"'→|]+)+)")


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each string. The word X stands for what an f-string inserts. Docstrings are left
    out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inside = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield (
                node.lineno,
                "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values),
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside | docs:
            yield node.lineno, node.value


def commands() -> list[tuple[str, str]]:
    paths = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    found = ((path, line, text) for path in paths for line, text in texts(path))
    return [
        (f"{path.relative_to(ROOT)}:{line}", m[1].strip())
        for path, line, text in found
        for m in COMMAND.finditer(text)
    ]


@pytest.fixture(scope="module")
def root() -> Any:
    if not front.app.registered_commands:
        front.collect()
    return typer.main.get_command(front.app)


def why_not(root: Any, words: list[str]) -> str:
    """Why the command line would refuse these words; empty if it takes them. What follows in the sentence
    does not count."""
    verb = next((word for word in words if not word.startswith("-")), "")
    if not verb or verb in ("VERB", "X"):
        return ""
    command = root.commands.get(verb)
    if command is None:
        return f"no verb {verb}"
    rest = words[words.index(verb) + 1 :]
    if hasattr(command, "commands"):
        if rest[:1] in (["X"], ["…"]):
            return ""
        command = command.commands.get(rest[0]) if rest else None
        if command is None:
            return f"no such noun of {verb}"
    known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {
        "--help",
        "-h",
    }
    typed = {word.partition("=")[0] for word in rest if word.startswith("-")}
    must = {param.opts[0] for param in command.params if param.required and param.opts[0].startswith("-")}
    if verb != "lab" and (unknown := typed - known):  # each lab has options of its own
        return f"{verb} has no {sorted(unknown)}"
    return f"{verb} lacks {sorted(must - typed)}" if must - typed else ""


def test_every_way_out_is_a_command_that_the_command_line_takes(root: Any) -> None:
    found = commands()
    assert len(found) > 100
    assert [(place, text, why) for place, text in found if (why := why_not(root, text.split()))] == []


def test_what_would_be_refused_is_found(root: Any) -> None:
    assert why_not(root, ["nada"]) == "no verb nada"
    assert why_not(root, ["quarantine", "accept", "X"]) == "quarantine lacks ['--batch']"
    assert "no ['--bogus']" in why_not(root, ["status", "--bogus"])
    assert "noun" in why_not(root, ["topics", "make"])
    assert why_not(root, ["generation", "rewind", "X", "--to-batch", "X", "then"]) == ""
