"""Exactly-once, condition 3: deterministic logic."""

from __future__ import annotations

import contextlib

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.contract.errors import RunFailed
from jobs.labs.declared.ends import Folder, ForeachBatch, Pipeline
from jobs.labs.kit import tally
from jobs.labs.kit.files import deliver, numbered
from jobs.labs.kit.lab import Facts, Lab

_KEYS = {"clave al azar": "uuid()", "clave del dato": "sha2(value, 256)"}


class Keyed:
    """A sink that keeps one row for each key. It fails once after it has written, so the batch comes
    again."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}
        self.fell = False

    def __call__(self, frame: DataFrame, _: int) -> None:
        self.rows |= {row.clave: row.value for row in frame.collect()}
        if not self.fell:
            self.fell = True
            raise RuntimeError("caída después de escribir, antes del commit")


def run(lab: Lab) -> Facts:
    """Facts: a tally for random keys, and one for keys made of the row."""
    rows = deliver(lab, "0.txt", numbered(0, 40))
    tallies = [
        tally.of(name, rows, _run_twice(lab, f"q{n}", F.expr(key)))
        for n, (name, key) in enumerate(_KEYS.items())
    ]
    lab.table(tally.COLUMNS, tally.rows(tallies))
    lab.say("el lote repetido tiene los mismos datos, pero otras claves: el destino no los reconoce")
    return tally.facts(tallies)


def _run_twice(lab: Lab, name: str, key: Column) -> list[str]:
    sink, source = Keyed(), Folder("entrada", "text")
    for _ in range(2):
        frame = lab.read(source).select(key.alias("clave"), "value")
        query = lab.start(frame, Pipeline(source, ForeachBatch()), name, each=sink)
        with contextlib.suppress(RunFailed):
            lab.follow(query)
    return list(sink.rows.values())
