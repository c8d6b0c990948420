"""The tables of docs/curso.md as rows, and `./caudal lab` that shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from include import labs, streams
from include.cli.course import lab
from include.labs import curso
from include.settings import ROOT
from jobs.contract.errors import ConfigError
from jobs.labs.declared.lab import Lab

PAGE = """# Una página

## Primero

| sección | stream | comando | fichero que leer |
|---|:-:|---|---|
| Caso 9: uno | `uno_dos` | `./caudal run uno_dos --plan` | [a/b.py](../a/b.py), [c.py](../c.py) (`X`) |

| carpeta | qué |
|---|---|
| `entrada` | `./caudal put` no es una fila de comando |

## Segundo

| sección | en Caudal | comando | fichero que leer |
|---|---|---|---|
| Fuentes | se lee así | `./caudal show "uno_dos"` | [c.py](../c.py) |
| Pruebas | todas | `./caudal test --fast` | [c.py](../c.py) |
"""


def test_a_row_is_its_heading_section_name_command_and_files() -> None:
    first, second, third = curso.parse(PAGE)
    assert first == curso.Row("Primero", "Caso 9: uno", "`uno_dos`", "run uno_dos --plan", ("a/b.py", "c.py"))
    assert [(row.part, row.words) for row in (second, third)] == [
        ("Segundo", ["show", "uno_dos"]),
        ("Segundo", ["test", "--fast"]),
    ]
    assert [row.named({"uno_dos"}) for row in (first, second, third)] == ["uno_dos", "uno_dos", ""]


@pytest.mark.parametrize(
    "row",
    [
        "| Caso | `x` | ./caudal run x | [a](a) |",
        "| Caso | `x` | `caudal run x` | [a](a) |",
        "| Caso | `x` | `./caudal run x` | a |",
        "| Caso |",
    ],
)
def test_a_row_that_cannot_be_read_is_named(row: str) -> None:
    head = "| sección | stream | comando | fichero que leer |\n|---|---|---|---|\n"
    with pytest.raises(ConfigError, match="not a row"):
        curso.parse(head + row)


def test_a_page_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        curso.rows(tmp_path)


def test_the_verb_shows_every_row_and_what_the_page_does_not_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = labs.collect()[0]
    mine = Lab("mio", title="de un alumno", section="lo que sea")
    monkeypatch.setattr(labs, "collect", lambda: ({**found, "mio": mine}, ()))
    assert lab._list(as_json=True) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    shown = json.loads(last)
    rows = curso.rows(ROOT)
    assert [
        (row["part"], row["section"], row["command"], tuple(row["files"])) for row in shown["course"]
    ] == [(row.part, row.section, row.command, row.files) for row in rows]
    assert {row["name"] for row in shown["course"]} >= set(streams.collect()[0])
    assert [
        row.command
        for row in rows
        if not any(f"./caudal {row.command} " in line and line.startswith(row.section) for line in lines)
    ] == []
    assert [
        line.split()[-1] for line in lines[lines.index("Aparte del curso") :] if line.startswith("lo que sea")
    ] == ["mio"]
