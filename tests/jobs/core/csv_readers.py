"""The readers of docs/csv.md for what a csv sink has written: each gives the rows of a folder of part files,
as text."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import duckdb

from jobs.contract.stream import Files

Row = tuple[str | None, ...]
NO_VALUE = "no value is this"  # what docs/csv.md calls any text that no value is


def by_spark(spark: Any, folder: Path, sink: Files, schema: str) -> list[Row]:
    sep = "\\\\" if sink.separator == "\\" else sink.separator
    options = {
        "sep": sep,
        "header": sink.header,
        "multiLine": True,
        "lineSep": "\n",
        "escape": '"',
        "charToEscapeQuoteEscaping": '"',
    }
    return [
        tuple(row)
        for row in spark.read.schema(schema).options(**options, nullValue=NO_VALUE).csv(str(folder)).collect()
    ]


def by_duckdb(folder: Path, sink: Files, columns: list[str]) -> list[Row]:
    asked = (
        "SELECT * FROM read_csv(?, auto_detect = false, columns = ?, header = ?, delim = ?, quote = '\"', "
        "escape = '\"', new_line = '\\n', nullstr = '', allow_quoted_nulls = false, max_line_size = "
        "67108864, parallel = false)"
    )
    with duckdb.connect(":memory:") as database:
        types = dict.fromkeys(columns, "VARCHAR")
        return database.execute(asked, [f"{folder}/part-*", types, sink.header, sink.separator]).fetchall()


def by_python(folder: Path, sink: Files) -> list[Row]:
    """Null comes as an empty string: Python's reader does not tell them apart."""
    csv.field_size_limit(sys.maxsize)
    rows: list[Row] = []
    for part in sorted(folder.glob("part-*")):
        with part.open(encoding="utf-8", newline="") as text:
            rows += [tuple(row) for row in csv.reader(text, delimiter=sink.separator, strict=True)][
                int(sink.header) :
            ]
    return rows
