"""docs/curso.md: each row leads to a stream that is registered, a command that runs and a file that is there."""

from __future__ import annotations

import re
import shlex

import click
import pytest
import typer

from include import labs, streams
from include.cli import __main__ as front
from include.cli import lab
from include.kafka import topics
from include.settings import ROOT

PAGE = ROOT / "docs" / "curso.md"
TEXT = PAGE.read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("| ") and "./caudal" in line]
COMMANDS = sorted(set(re.findall(r"`\./caudal ([^`]+)`", TEXT)))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_names_a_command_and_a_file_to_read(row: list[str]) -> None:
    section, _, command, files = row
    linked = re.findall(r"\]\(([^)]+)\)", files)
    assert section
    assert re.fullmatch(r"`\./caudal [^`]+`", command)
    assert linked
    assert [name for name in linked if not (PAGE.parent / name).is_file()] == []
    assert [text for text, name in re.findall(r"\[([^\]]+)\]\(([^)]+)\)", files) if (PAGE.parent / name).resolve() != ROOT / text] == []


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_is_one_that_the_command_line_takes(words: str, verbs: dict[str, frozenset[str]]) -> None:
    """Parsed by the real command line, options and all; not run."""
    verb, *rest = shlex.split(words)
    command = typer.main.get_command(front.app).commands[verb]  # type: ignore[attr-defined]
    if verbs[verb]:
        noun, *rest = rest
        command = command.commands[noun]
    with click.Context(command) as parent, command.make_context(verb, rest, parent) as context:
        assert "stream" not in context.params or context.params["stream"] in streams.collect()[0]
        declared = {topic.name for topic in topics.declared(streams.collect()[0].values())}
        assert "topic" not in context.params or context.params["topic"] in declared
        if verb == "lab" and context.params["name"]:
            labs.get(context.params["name"]).values(lab._typed(context.args))  # raises for a lab or an option that is not there


def test_a_row_of_a_lab_names_the_section_that_the_lab_names() -> None:
    told = [(row[0], row[1].strip("`"), row[2].split()[2].strip("`")) for row in ROWS if row[2].startswith("`./caudal lab ")]
    assert [row for row in told if row[1] != row[2] or labs.get(row[1]).section != row[0]] == []
    assert len({name for _, name, _ in told}) >= 8


def test_each_case_of_the_course_leads_to_the_stream_tagged_with_it() -> None:
    told = {(match[1], row[1].strip("`")) for row in ROWS if not row[2].startswith("`./caudal lab ") and (match := re.match(r"Caso (\d)", row[0]))}
    tagged = {(tag[-1], name) for name, row in streams.collect()[0].items() for tag in row.tags if re.fullmatch(r"caso-\d", tag)}
    assert told == tagged


def test_the_sections_of_the_course_that_have_nothing_yet_are_listed() -> None:
    _, _, later = TEXT.partition("## Todavía no")
    assert [word for word in ("bizums", "complete", "DStream") if word not in later] == []
