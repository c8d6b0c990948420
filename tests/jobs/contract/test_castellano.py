"""The Spanish of labs: numbers, nearest names, and every reason that Spark gives for not going a way."""

from __future__ import annotations

import ast
import re

import pytest

from include import labs
from include.settings import ROOT
from jobs.contract.errors import Refused, UsageError
from jobs.labs.declared import castellano, combinations
from jobs.labs.declared.castellano import cuantos, pista
from jobs.labs.declared.ends import Console, Folder, Pipeline, Socket

# words that Spanish has not, and that no term of Spark's is
ENGLISH = re.compile(
    r"\b(the|is|are|was|were|not|no file|none of|read|rows|lines|with|without|"
    r"from|this|that|has|have|does|must|cannot|again)\b"
)
PRINTED = (
    "say",
    "table",
    "UsageError",
    "BrokerDown",
    "RunFailed",
    "Refused",
    "DataError",
    "ServiceError",
    "DeliveryFailed",
    "print",
    "print_row",
)
FILES = [
    *(path for path in (ROOT / "jobs/labs").rglob("*.py") if path.name not in ("combinations.py", "ends.py")),
    *(
        path
        for path in (ROOT / "include/labs").rglob("*.py")
        if path.name not in ("__init__.py", "scaffold.py", "history_server.py", "notebook.py")
    ),
    ROOT / "include/cli/course/lab.py",
    ROOT / "include/cli/course/_lab_fault.py",
]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((1, "línea"), "1 línea"),
        ((0, "línea"), "0 líneas"),
        ((2, "micro-batch"), "2 micro-batches"),
        ((1, "micro-batch"), "1 micro-batch"),
        ((3, "aparición", "apariciones"), "3 apariciones"),
        ((2, "lote"), "2 lotes"),
        ((1, "fila leída", "filas leídas"), "1 fila leída"),
    ],
)
def test_what_is_counted_stands_in_its_number(words: tuple[int, str], told: str) -> None:
    assert cuantos(*words) == told


def test_every_text_of_the_combinations_has_its_spanish() -> None:
    verdicts = [combinations.verdict(one) for one in combinations.every()]
    told = {text for one in verdicts for text in (one.why, one.instead, *one.notes) if text}
    assert told == set(castellano.TEXTS)
    assert [text for text in castellano.TEXTS.values() if ENGLISH.search(text)] == []


def test_a_way_that_spark_cannot_go_is_refused_in_spanish() -> None:
    with pytest.raises(
        Refused,
        match=r"socket -> console, modo complete, trigger default: complete enseña .* -> usa el modo append",
    ):
        castellano.require(Pipeline(Socket(), Console(), "complete", "default"), "x")
    castellano.require(Pipeline(Folder(), Folder("salida")), "x")


@pytest.mark.parametrize(
    ("word", "meant"),
    [("camin", "camino"), ("trampa7", "trampa07_a_medio_escribir"), ("CASO1", "caso1_palabras")],
)
def test_a_mistyped_lab_or_option_is_told_the_nearest(word: str, meant: str) -> None:
    with pytest.raises(UsageError, match=rf"no hay un laboratorio '{word}'\. ¿Querías decir '{meant}'"):
        labs.get(word)
    with pytest.raises(
        UsageError, match=r"camino no tiene la opción --max-file\. ¿Querías decir '--max-files'"
    ):
        labs.get("camino").values({"max_file": "1"})
    assert pista("zzz", ["camino"]) == ""


def texts(call: ast.Call) -> str:
    """All that a call prints, f-strings without what they put in, and without keys."""
    keys = {id(node.slice) for node in ast.walk(call) if isinstance(node, ast.Subscript)}
    parts = [
        node.value
        for node in ast.walk(call)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in keys
    ]
    return " ".join(parts)


def test_no_lab_prints_english() -> None:
    found = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = getattr(node, "func", None)
            name = getattr(called, "attr", getattr(called, "id", ""))
            if isinstance(node, ast.Call) and name in PRINTED and (word := ENGLISH.search(texts(node))):
                found.append((path.name, node.lineno, word[0]))
    assert found == []


def test_no_row_of_a_lab_is_english() -> None:
    rows = labs.collect()[0].values()
    assert [
        row.name
        for row in rows
        if ENGLISH.search(f"{row.title} {row.doc} {' '.join(o.help for o in row.options)}".replace("`", ""))
    ] == []
