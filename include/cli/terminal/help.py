"""The help pages. It groups the verbs by purpose, and renders all pages as one text for a checkout without an
environment."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence

import typer
from typer import _click as click
from typer.core import TyperGroup

from include import labs
from include.settings import ROOT
from jobs.labs.declared.lab import Lab, Option

WIDTH = 78  # columns of a page: what typer uses of a terminal of 80, and at most
PAGE = "=== "  # begins the title line of each page in the text of all pages
OTHERS = "Others"
GROUPS: Mapping[str, Sequence[str]] = {
    "Start": ("demo", "setup", "up", "down", "status", "doctor"),
    "Every day": ("put", "sample", "run", "show", "where", "produce", "consume", "topics"),
    "Course": ("lab", "notebook", "spark-ui"),
    "Operate": ("audit", "quarantine", "generation", "archive", "restore", "checkpoint", "checkpoint-show"),
    "Build": ("new-stream", "test", "docs", "bench", "torture"),
}
_HEAD = """\
Made by `./caudal docs` from the command line; a test compares. Where no environment is
installed, the front door prints the page that was asked for.

"""


class Verbs(TyperGroup):
    """A group whose help page shows whole sentences, with its verbs in the sections of GROUPS."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in sections(self.list_commands(ctx), grouped=ctx.parent is None).items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name, self.commands[name].get_short_help_str(limit=1000)) for name in names]
                )


def sections(names: Sequence[str], grouped: bool) -> dict[str, list[str]]:
    """Title -> the verbs below it, without empty sections. A verb that is in no group is in OTHERS."""
    if not grouped:
        return {"Commands": list(names)}
    known = {name for group in GROUPS.values() for name in group}
    grouped_names = {title: [name for name in group if name in names] for title, group in GROUPS.items()}
    grouped_names[OTHERS] = [name for name in names if name not in known]
    return {title: below for title, below in grouped_names.items() if below}


def version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return f"{project['name']} {project['version']}"


def of_lab(lab: Lab, width: int | None = None) -> str:
    """The help page of one lab, all in Spanish. `width` defaults to that of the terminal."""
    page = click.HelpFormatter(width=width)
    page.write_usage(f"caudal lab {lab.name}", "[OPCIONES]", prefix="Uso: ")
    page.write_paragraph()
    page.write_text(lab.title)
    for paragraph in lab.doc.split("\n\n"):
        page.write_paragraph()
        page.write_text(" ".join(paragraph.split()))
    keep = [("--keep", "Seguir en la carpeta y desde el checkpoint de la vez anterior.")] if lab.keeps else []
    with page.section("Opciones"):
        page.write_dl(
            [
                *map(_option, lab.options),
                *keep,
                ("--json", "Lo que ha encontrado, como un objeto JSON, en la última línea."),
            ]
        )
    return page.getvalue()


def _option(option: Option) -> tuple[str, str]:
    default = (
        {True: "yes", False: "no"}[option.default] if isinstance(option.default, bool) else option.default
    )
    return f"--{option.name.replace('_', '-')}", f"{option.help}  [si no se da: {default}]"


def render(app: typer.Typer) -> str:
    """Every page below its title. `app` must have all of its verbs."""
    root = typer.main.get_command(app)
    pages = {"caudal --version": f"{version()}\n", **dict(_pages(root, None, "caudal"))}
    pages |= {f"caudal lab {name}": of_lab(lab, WIDTH) for name, lab in labs.collect()[0].items()}
    return _HEAD + "".join(f"{PAGE}{title}\n{text}" for title, text in pages.items())


def _pages(command: click.Command, above: click.Context | None, name: str) -> Iterator[tuple[str, str]]:
    """Title and text of a command's page, and of the pages below it. The width of the first page holds for
    all."""
    context = click.Context(
        command,
        parent=above,
        info_name=name,
        terminal_width=None if above else WIDTH,
        **command.context_settings,
    )
    yield context.command_path, f"{command.get_help(context)}\n"
    for word, below in sorted(getattr(command, "commands", {}).items()):
        yield from _pages(below, context, word)
