"""Exactly-once, condition 2: a source that can be read again."""

from __future__ import annotations

import contextlib
from typing import Any

from pyspark.sql import DataFrame

from jobs.contract.errors import RunFailed
from jobs.labs.declared.ends import Folder, ForeachBatch, Pipeline, Socket, Source
from jobs.labs.kit import line_server, tally
from jobs.labs.kit.files import deliver, numbered
from jobs.labs.kit.lab import Facts, Lab

ROWS = numbered(0, 20)


class Falls:
    """A function of foreachBatch that fails in the first batch with rows, and keeps the rows of all later
    ones."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.fell = False

    def __call__(self, frame: DataFrame, _: int) -> None:
        rows = [row.value for row in frame.collect()]
        if rows and not self.fell:
            self.fell = True
            raise RuntimeError("caída a mitad del micro-batch")
        self.rows += rows


def run(lab: Lab) -> Facts:
    """Facts: a tally for the socket, and one for files."""
    tallies = [_socket(lab), _files(lab)]
    lab.table(tally.COLUMNS, tally.rows(tallies))
    lab.say("lo que el socket entregó y no se terminó no vuelve; los ficheros siguen ahí")
    return tally.facts(tallies)


def _socket(lab: Lab) -> tally.Tally:
    falls = Falls()
    half = len(ROWS) // 2
    with line_server.serving() as server:
        for row in ROWS[:half]:
            server.send(row)
        _once(lab, Socket(port=server.port), falls, "default", "socket", until=lambda: falls.fell)
    with line_server.serving() as server:  # the application starts again and connects again
        for row in ROWS[half:]:
            server.send(row)
        _once(
            lab, Socket(port=server.port), falls, "default", "socket2", until=lambda: len(falls.rows) >= half
        )
    return tally.of("socket", ROWS, falls.rows)


def _files(lab: Lab) -> tally.Tally:
    falls = Falls()
    half = len(ROWS) // 2
    for number, part in enumerate((ROWS[:half], ROWS[half:])):
        deliver(lab, f"{number}.txt", part)
        _once(lab, Folder("entrada", "text"), falls, "available-now", "ficheros")
    return tally.of("ficheros", ROWS, falls.rows)


def _once(lab: Lab, source: Source, falls: Falls, trigger: Any, name: str, until: Any = None) -> None:
    """One run of the application; the fall ends it."""
    query = lab.start(lab.read(source), Pipeline(source, ForeachBatch(), trigger=trigger), name, each=falls)
    with contextlib.suppress(RunFailed):
        lab.follow(query, until=until, seconds=20)
