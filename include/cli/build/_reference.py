"""Renders docs/cli.md: every verb with its arguments and options, taken from the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

import typer
from typer import _click as click

from include.cli.terminal import help

_HEAD = """\
# The command line

Made by `./caudal docs` from the commands; a test compares.

- `./caudal VERB --help` (or `-h`) prints the options of a verb. Like `./caudal --help`, it installs nothing.
- If you mistype a verb, stream, lab, topic or reason, the error names the nearest one.
- `archive`, `restore`, every `generation` verb but `list`, and `quarantine reprocess`, `discard` and `accept`
  print a plan and change nothing. `--apply` carries the plan out. A long plan is cut short; `--all` prints
  every step, where the verb has it.
- `--json` prints one JSON object as the last line.
- An error is one line with a stable code, and each kind of error has an exit code: [every error](errors.md).
  `./caudal --debug VERB` adds the Python trace.
- Tables fit the terminal. On a narrow one, columns are left out and named, or each row becomes a block with
  one line per column. A pipe gets every column in whole lines.
- A terminal shows a spinner while it waits. Elsewhere, and with `NO_COLOR`, `TERM=dumb` or `CI`, waiting is
  reported in whole lines.
"""
# the page that explains what a verb works on
_MORE = {
    "audit": ("account.md", "what is counted, and against what"),
    "bench": ("performance.md", "what a run costs"),
    "docs": ("README.md", "all pages"),
    "doctor": ("errors.md", "every error"),
    "generation": ("decisions/0008-generations.md", "what a generation is"),
    "lab": ("curso.md", "the course, section by section (in Spanish)"),
    "new-stream": ("new-stream.md", "add a stream"),
    "notebook": ("curso.md", "the course, section by section (in Spanish)"),
    "put": ("files.md", "what becomes of a delivered file"),
    "quarantine": ("records.md", "what becomes of a record"),
    "torture": ("reliability.md", "what survives, and how that is tested"),
    "where": ("folders.md", "what each folder holds"),
}
# typer's name of a type -> the placeholder for its value
_VALUES = {"int": "N", "int range": "N", "float": "NUMBER", "float range": "NUMBER", "path": "PATH"}


def render(app: typer.Typer) -> str:
    """The text of docs/cli.md. `app` must have all of its verbs."""
    root = typer.main.get_command(app)
    context = click.Context(root, info_name="./caudal")
    verbs: dict[str, click.Command] = root.commands  # type: ignore[attr-defined]
    groups = help.sections(list(verbs), grouped=True)
    lines = [_HEAD, *_overview(groups)]
    for title, names in groups.items():
        lines += ["", f"## {title}"]
        lines += (line for name in names for line in _verb(verbs[name], context, name))
    return "\n".join(lines) + "\n"


def _overview(groups: dict[str, list[str]]) -> Iterator[str]:
    yield from ("| group | verbs |", "|---|---|")
    yield from (
        f"| {title} | {', '.join(f'[{name}](#{name})' for name in names)} |"
        for title, names in groups.items()
    )


def _verb(command: click.Command, above: click.Context, name: str) -> Iterator[str]:
    """The section of a verb, and those of the commands below it."""
    context = click.Context(command, parent=above, info_name=name)
    below: dict[str, click.Command] = getattr(command, "commands", {})
    title = context.command_path.removeprefix("./caudal ")
    yield from ("", f"### {title}", "", _text(command))
    if name in _MORE and above.parent is None:
        page, about = _MORE[name]
        yield from ("", f"More: [{about}]({page}).")
    if not below:
        yield from ("", f"`{_usage(command, context)}`", "", *_parameters(command, context))
    for word in sorted(below):
        yield from _verb(below[word], context, word)


def _text(command: click.Command) -> str:
    return "\n\n".join(_escaped(" ".join(part.split())) for part in (command.help or "").split("\n\n"))


def _usage(command: click.Command, context: click.Context) -> str:
    """The words that a call must have, and its optional arguments; of the options, only the required ones."""
    needed = [param for param in command.params if param.required or not param.opts[0].startswith("-")]
    return " ".join([context.command_path, *(_words(param, context)[0] for param in needed)])


def _parameters(command: click.Command, context: click.Context) -> Iterator[str]:
    yield from ("| argument or option | meaning |", "|---|---|")
    for param in command.params:
        words, meaning = _words(param, context)
        yield f"| `{words}` | {_escaped(meaning)} |"


def _words(param: click.Parameter, context: click.Context) -> tuple[str, str]:
    """How an argument or option is typed, and its meaning, with default and limits."""
    typed, meaning = param.get_help_record(context) or ("", "")
    meaning = " ".join(meaning.replace("[required]", "").replace("; required]", "]").split())
    meaning = re.sub(r"x>=(-?[\d.]+)", r"\1 or more", re.sub(r"([\d.]+)<=x<=([\d.]+)", r"\1 to \2", meaning))
    if param.opts[0].startswith("-"):
        return re.sub(r"<(.+?)>", lambda found: _VALUES.get(found[1], "TEXT"), typed), meaning
    name = (param.metavar or param.name or "").upper()
    return name if param.required or name.startswith("[") else f"[{name}]", meaning


def _escaped(text: str) -> str:
    """Escapes what Markdown would read as HTML, emphasis or the end of a cell."""
    return text.replace("<", "&lt;").replace(">", "&gt;").replace("|", "\\|").replace("*", "\\*")
