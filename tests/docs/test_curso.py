"""docs/curso.md: no stream, lab or notebook is missing, and each row names what exists.

A row has a command that can be typed, and files to read.
"""

from __future__ import annotations

import re
import shlex
from functools import cache

import click
import pytest
import typer

from include import labs, settings, streams
from include.cli import __main__ as front
from include.cli.course import lab
from include.kafka import topics
from include.labs import curso, notebook
from include.settings import ROOT
from jobs.labs.declared import combinations

PAGE = ROOT / "docs" / "curso.md"
TEXT = PAGE.read_text(encoding="utf-8")
ROWS = curso.rows(ROOT)
COMMANDS = sorted(set(re.findall(r"`\./caudal ([^`]+)`", TEXT)))


@cache
def notebooks() -> dict[str, notebook.Notebook]:
    return notebook.collect(settings.load({}))


def test_every_line_of_a_table_that_has_a_command_is_a_row() -> None:
    lines = [line for line in TEXT.splitlines() if line.startswith("| ") and "./caudal" in line]
    assert [row.command for row in ROWS] == re.findall(r"`\./caudal ([^`]+)` \| \[", "\n".join(lines))
    assert len(ROWS) == len(lines)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.command)
def test_a_row_names_files_that_are_there(row: curso.Row) -> None:
    assert [name for name in row.files if not (ROOT / name).is_file()] == []


def test_a_link_leads_to_the_file_that_it_shows() -> None:
    shown = [(text, target) for text, target in re.findall(r"\[([^\]]+)\]\(([^)]+)\)", TEXT) if "/" in text]
    assert [text for text, target in shown if (PAGE.parent / target).resolve() != ROOT / text] == []


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_is_one_that_the_command_line_takes(words: str, verbs: dict[str, frozenset[str]]) -> None:
    """The real command line parses it with its options, and does not run it. The registry checks the options
    of a lab, and whether Spark can do what they combine."""
    verb, *rest = shlex.split(words)
    command = typer.main.get_command(front.app).commands[verb]  # type: ignore[attr-defined]
    if verbs[verb]:
        noun, *rest = rest
        command = command.commands[noun]
    with click.Context(command) as parent, command.make_context(verb, rest, parent) as context:
        assert "stream" not in context.params or context.params["stream"] in streams.collect()[0]
        declared = {topic.name for topic in topics.declared(streams.collect()[0].values())}
        assert "topic" not in context.params or context.params["topic"] in declared
        assert [name for name in context.params.get("execute") or () if name not in notebooks()] == []
        if verb == "lab" and context.params["name"]:
            goes(context.params["name"], lab._typed(context.args))


def goes(name: str, typed: dict[str, str]) -> None:
    """Raises UsageError for an unknown lab or option, Refused for a combination that Spark cannot run."""
    row = labs.get(name)
    values = row.values(typed)
    if row.pipeline:
        combinations.require(row.pipeline(values), name)


def test_no_stream_lab_or_notebook_is_missing() -> None:
    for known in (streams.collect()[0], labs.collect()[0], notebooks()):
        assert sorted(set(known) - {row.named(known) for row in ROWS}) == []


def test_a_row_of_a_lab_names_the_section_that_the_lab_names() -> None:
    rows_of_labs = [(row.section, row.what.strip("`"), row.words[1]) for row in ROWS if row.words[0] == "lab"]
    assert [row for row in rows_of_labs if row[1] != row[2] or labs.get(row[1]).section != row[0]] == []


def test_each_case_of_the_course_leads_to_the_stream_tagged_with_it() -> None:
    cases = {
        (match[1], row.what.strip("`"))
        for row in ROWS
        if row.words[0] != "lab" and (match := re.match(r"Caso (\d)", row.section))
    }
    tagged = {
        (tag[-1], name)
        for name, row in streams.collect()[0].items()
        for tag in row.tags
        if re.fullmatch(r"caso-\d", tag)
    }
    assert cases == tagged


def test_what_has_nothing_yet_is_listed_and_nothing_that_a_row_has() -> None:
    later = TEXT.partition("## Todavía no")[2]
    assert "Delta" in later
    assert [row.named(labs.collect()[0]) for row in ROWS if f"`{row.what}`" in later] == []
