"""Caso 2 with an inferred schema, and how a later file of another shape is read with it."""

from __future__ import annotations

import json
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from jobs.contract.errors import DataError
from jobs.labs.declared.ends import Folder, ForeachBatch, Pipeline
from jobs.labs.kit import sample_files
from jobs.labs.kit.lab import Facts, Lab

# what a shop might send after an update of its till: a new field, an amount as text, no amount at all
OTRA_FORMA: tuple[dict[str, Any], ...] = (
    {"InvoiceNumber": "90000001", "TotalAmount": 12.5, "Propina": 1.5},
    {"InvoiceNumber": "90000002", "TotalAmount": "once mil"},
    {"InvoiceNumber": "90000003"},
)


def run(lab: Lab) -> Facts:
    """Facts: what an empty folder says; the inferred columns; rows of the later file as they were read; what
    changes at the next start."""
    source = Folder(infer=True)
    refused = _empty(lab, source)
    sample_files.deliver(sample_files.samples(lab.folder)[0], lab.path("entrada"), 0)
    frame = lab.read(source)
    lab.say("esquema inferido del primer fichero:")
    for line in tree(frame.schema):
        lab.say(line)
    rows: list[dict[str, Any]] = []
    for batch in range(2):
        if batch:
            _strange(lab)
        query = lab.start(
            frame,
            Pipeline(source, ForeachBatch()),
            "facturas",
            each=lambda rows_of, _: rows.extend(_rows(rows_of)),
        )
        lab.follow(query)
    later = [row for row in rows if row["InvoiceNumber"] in {d["InvoiceNumber"] for d in OTRA_FORMA}]
    lab.say("el segundo fichero, con el esquema del primero:")
    shown = [
        (
            d["InvoiceNumber"],
            d.get("TotalAmount", "(falta)"),
            _null(r["TotalAmount"]),
            d.get("Propina", ""),
            "no se ve",
        )
        for d, r in zip(OTRA_FORMA, later, strict=True)
    ]
    lab.table(("factura", "TotalAmount escrito", "leído", "Propina escrita", "leída"), shown)
    anew = lab.read(source).schema
    changes = _changes(frame.schema, anew)
    lab.say("al arrancar otra vez se infiere de los dos ficheros, y cambia: " + "; ".join(changes))
    return {"empty": refused, "columns": types(frame.schema), "later": later, "changes": changes}


def _empty(lab: Lab, source: Folder) -> str:
    try:
        lab.read(source)
    except DataError as error:
        lab.say(f"con la carpeta vacía: {error.what}")
        return error.what
    return ""


def _strange(lab: Lab) -> None:
    file = lab.path("otra-forma.json")
    file.write_text("".join(json.dumps(d) + "\n" for d in OTRA_FORMA), encoding="utf-8")
    sample_files.deliver(file, lab.path("entrada"), 1)


def _rows(frame: DataFrame) -> list[dict[str, Any]]:
    return [
        row.asDict()
        for row in frame.select("InvoiceNumber", "TotalAmount").orderBy("InvoiceNumber").collect()
    ]


def _null(value: object) -> object:
    return "nulo" if value is None else value


def types(schema: StructType) -> dict[str, str]:
    return {field.name: field.dataType.simpleString() for field in schema.fields}


def tree(schema: StructType) -> list[str]:
    return [f" |-- {name}: {kind}" for name, kind in types(schema).items()]


def _changes(before: StructType, after: StructType) -> list[str]:
    old, new = types(before), types(after)
    return [
        f"{name}: {old.get(name, '(no estaba)')} -> {kind}"
        for name, kind in new.items()
        if old.get(name) != kind
    ]
