"""Actividad 4: bizums by socket, files or Kafka -> the highest of each person, complete."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.contract.errors import UsageError
from jobs.domain import bizums
from jobs.labs.declared.castellano import cuantos
from jobs.labs.declared.ends import Folder, ForeachBatch, Pipeline, Socket, Source, Subscription
from jobs.labs.kit import line_server
from jobs.labs.kit.lab import Facts, Lab

_END_S = 60.0
Feed = Callable[[], None]


def run(lab: Lab) -> Facts:
    """Facts: highest (person -> amount), lines read, malformed ones."""
    lines = lab.path("bizums.csv").read_text(encoding="utf-8").splitlines()
    seen: dict[str, Any] = {"lines": 0, "malformed": 0, "highest": {}}
    with contextlib.ExitStack() as stack:
        source, feed = _source(lab, lines, stack)
        text = lab.read(source).select(F.col("value").cast("string").alias("value"))
        pipeline = Pipeline(source, ForeachBatch(), "complete", "default", state="aggregation")
        with lab.settings(spark__sql__shuffle__partitions=3):
            query = lab.start(bizums.maximos(bizums.leidos(text)), pipeline, "bizums", each=_show(lab, seen))
            threading.Thread(target=feed, daemon=True).start()
            lab.follow(
                query,
                until=lambda: seen["lines"] >= len(lines),
                seconds=_END_S + len(lines) * (1 + float(lab.options["pause"])),
            )
    bad = cuantos(seen["malformed"], "que no se puede contar", "que no se pueden contar")
    lab.say(f"{cuantos(seen['lines'], 'línea')}, {bad}")
    return seen


def _source(lab: Lab, lines: list[str], stack: contextlib.ExitStack) -> tuple[Source, Feed]:
    """Where the lab reads, and what sends the lines there, one after the other."""
    pause, name = float(lab.options["pause"]), lab.text("source")
    if name == "socket":
        server = stack.enter_context(line_server.serving())
        return Socket(port=server.port), lambda: _one_by_one(lines, pause, server.send)
    if name == "kafka":
        topic = lab.topics.fresh("bizums")
        return Subscription((topic,), format="text"), lambda: _by_ten(
            lines, pause, lambda part, _: lab.topics.produce(topic, part)
        )
    if name == "files":
        return Folder("entrada", "text", max_files=5), lambda: _by_ten(
            lines, pause, lambda part, number: _put(lab, part, number)
        )
    raise UsageError(f"{name[:30]!r} no es ninguno de socket, files, kafka", "--source")


def _one_by_one(lines: list[str], pause: float, send: Callable[[str], None]) -> None:
    for line in lines:
        send(line)
        time.sleep(pause)


def _by_ten(lines: list[str], pause: float, send: Callable[[list[str], int], object]) -> None:
    for at in range(0, len(lines), 10):
        send(lines[at : at + 10], at)
        time.sleep(pause)


def _put(lab: Lab, lines: list[str], number: int) -> None:
    """Whole under its name: the source never sees half a file."""
    temporary = lab.path("entrada", f".{number:06d}.csv")
    temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    temporary.rename(lab.path("entrada", f"{number:06d}.csv"))


def _show(lab: Lab, seen: dict[str, Any]) -> Any:
    def each(frame: DataFrame, batch: int) -> None:
        rows = frame.collect()
        seen["lines"] = sum(row.Bizums for row in rows)
        seen["malformed"] = sum(row.Bizums for row in rows if row.Persona is None)
        seen["highest"] = {row.Persona: row.Maximo for row in rows if row.Persona is not None}
        if rows:
            lab.say(f"micro-batch {batch}: el bizum más alto de cada persona")
            lab.table(("persona", "máximo"), sorted(seen["highest"].items()))

    return each
