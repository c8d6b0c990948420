"""lab [NAME]: the course, section by section, and one run of one of its labs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from include import labs, settings, streams
from include.cli.course import _lab_fault
from include.cli.terminal import help
from include.cli.terminal.console import json_line, say, table
from include.labs import companion_run, curso, launch, notebook
from jobs.contract.errors import UsageError

_ASKS = ("--help", "-h")
# Each lab has options of its own, so the command takes any and parses them itself.
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def command(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A lab. Without a name, the course is shown section by section."),
    ] = "",
    keep: Annotated[
        bool, typer.Option("--keep", help="Continue in the folder and from the checkpoint of the last run.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the lab's facts as one JSON object, on the last line.")
    ] = False,
) -> int:
    """Run a lab of the course in a folder of its own. Each lab has its own options (./caudal lab NAME
    --help). Ctrl-C ends it gracefully."""
    if name in ("", *_ASKS):
        if name:
            say(context.get_help())
        return _list(as_json)
    config = settings.load()
    _require_lab(config, name)
    lab = labs.get(name)
    typed = _typed(context.args)
    if "help" in typed:
        print(help.of_lab(lab), end="")
        return 0
    values = lab.values(typed)
    if keep and not lab.keeps:
        raise UsageError(f"{lab.name} empieza cada vez de cero", "--keep", cli=f"./caudal lab {lab.name}")
    if lab.fault:
        return _lab_fault.run(lab, as_json)
    with launch.alone(config, lab.name):
        run = launch.prepare(config, lab, values, keep=keep)
        say(f"{lab.name}: {lab.title} (cuenta: {lab.account})")
        if lab.beside:
            say(f"primero, los mismos ficheros con Caudal: {lab.beside}")
            companion_run.run(config, lab.beside, run.path.parent)
        if run.spec.ui_port:
            say(f"la interfaz de Spark mientras corre: http://127.0.0.1:{run.spec.ui_port}")
        code = launch.execute(run)
        if as_json:
            path = run.path.with_name("facts.json")
            facts = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
            json_line({"lab": lab.name, "exit_code": code, "folder": run.spec.folder, "facts": facts})
    return code


def _require_lab(config: settings.Settings, name: str) -> None:
    """Raises UsageError for the name of a stream or a notebook, which the page of the course lists beside its
    labs."""
    if name in streams.collect()[0]:
        what = f"{name} es un stream, no un laboratorio"
        raise UsageError(what, "include/streams/", cli=f"./caudal run {name}")
    if name in notebook.collect(config):
        what = f"{name} es un cuaderno, no un laboratorio"
        raise UsageError(what, "labs/", cli=f"./caudal notebook --execute {name}")


def _typed(words: list[str]) -> dict[str, str]:
    """`--name value`, `--name=value` -> {name: value}. Raises UsageError."""
    typed: dict[str, str] = {}
    left = list(words)
    while left:
        word, equals, value = left.pop(0).partition("=")
        if word in _ASKS:
            return {"help": ""}
        if not word.startswith("--") or len(word) < 3:
            raise UsageError(f"sobra {word[:40]!r}", "lab", cli="./caudal lab NOMBRE --opción VALOR")
        if not equals:
            if not left:
                raise UsageError(f"a {word} le falta un valor", "lab", cli=f"{word} VALOR")
            value = left.pop(0)
        typed[word[2:].replace("-", "_")] = value
    return typed


def _list(as_json: bool) -> int:
    """Prints the course as docs/curso.md has it, then the labs that the page does not name."""
    every, broken = labs.collect()
    rows = curso.rows(settings.ROOT)
    known = {*every, *streams.collect()[0], *notebook.collect(settings.load())}
    named = [(row, row.named(known)) for row in rows]
    for part in dict.fromkeys(row.part for row in rows):
        cells = [
            (row.section, name, f"./caudal {row.command}", ", ".join(row.files))
            for row, name in named
            if row.part == part
        ]
        table(("sección", "stream o laboratorio", "comando", "fichero que leer"), cells, title=part)
        say()
    others = [lab for lab in every.values() if lab.name not in {name for _, name in named}]
    if others:
        rest = [(lab.section, lab.name, f"./caudal lab {lab.name}") for lab in others]
        table(("sección", "laboratorio", "comando"), rest, title="Aparte del curso")
    for error in broken:
        say(str(error))
    say("./caudal lab NOMBRE lo ejecuta, con --help enseña sus opciones; la página entera: docs/curso.md")
    if as_json:
        course = [asdict(row) | {"name": name} for row, name in named]
        for entry in course:
            del entry["what"]  # `name` is the same, without markup
        titles = [{"name": lab.name, "section": lab.section, "title": lab.title} for lab in every.values()]
        json_line({"course": course, "labs": titles})
    return 0
