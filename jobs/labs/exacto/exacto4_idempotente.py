"""Exactly-once, condition 4: an idempotent sink."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from pyspark.sql import DataFrame

from jobs.contract.errors import RunFailed
from jobs.labs.declared.ends import Folder, ForeachBatch, Pipeline
from jobs.labs.kit import tally
from jobs.labs.kit.files import deliver, lines, numbered
from jobs.labs.kit.lab import Facts, Lab

Write = Callable[[DataFrame, int, Path], None]


def appended(frame: DataFrame, _: int, folder: Path) -> None:
    frame.write.mode("append").text(str(folder))


def by_batch(frame: DataFrame, batch: int, folder: Path) -> None:
    frame.write.mode("overwrite").text(str(folder / f"batch={batch:09d}"))


def run(lab: Lab) -> Facts:
    """Facts: a tally for appending, and one for a folder for each batch."""
    rows = deliver(lab, "0.txt", numbered(0, 40))
    writes: dict[str, Write] = {"añadir sin más": appended, "una carpeta por lote": by_batch}
    tallies = [
        tally.of(name, rows, _run_twice(lab, f"q{n}", write))
        for n, (name, write) in enumerate(writes.items())
    ]
    lab.table(tally.COLUMNS, tally.rows(tallies))
    lab.say("el lote llega dos veces; con su número por nombre, la segunda sustituye a la primera")
    return tally.facts(tallies)


def _run_twice(lab: Lab, name: str, write: Write) -> list[str]:
    source, folder, fell = Folder("entrada", "text"), lab.path(f"salida_{name}"), False

    def each(frame: DataFrame, batch: int) -> None:
        nonlocal fell
        write(frame, batch, folder)
        if not fell:
            fell = True
            raise RuntimeError("caída después de escribir, antes del commit")

    for _ in range(2):
        query = lab.start(lab.read(source), Pipeline(source, ForeachBatch()), name, each=each)
        with contextlib.suppress(RunFailed):
            lab.follow(query)
    return lines(folder)
