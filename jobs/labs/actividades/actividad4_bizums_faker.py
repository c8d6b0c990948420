"""Actividad 4 with dates: windows of a day under a watermark, what comes late, and what stays open."""

from __future__ import annotations

import os
from typing import Any

from pyspark.sql import DataFrame

from jobs.domain import bizums
from jobs.labs.declared.ends import Folder, ForeachBatch, Pipeline
from jobs.labs.kit.lab import Facts, Lab

_FILES = 6  # each a batch: the watermark moves between them


def run(lab: Lab) -> Facts:
    """Facts: days (day -> person -> highest) of closed windows, open (days that are not), late (rows
    dropped), watermark."""
    lines = lab.path("bizums.csv").read_text(encoding="utf-8").splitlines()
    size = -(-len(lines) // _FILES)
    lab.path("entrada").mkdir()
    for number in range(_FILES):
        part = lines[number * size : (number + 1) * size]
        path = lab.path("entrada", f"{number}.csv")
        path.write_text("".join(f"{line}\n" for line in part), encoding="utf-8")
        os.utime(path, (number, number))  # Spark reads them in the order of their times
    source = Folder("entrada", "csv", max_files=1, options=(("sep", ";"),))
    days: dict[str, dict[str, float]] = {}
    with lab.settings(spark__sql__shuffle__partitions=3):
        frame = bizums.maximos_por_dia(lab.read(source, bizums.DATED))
        query = lab.start(
            frame,
            Pipeline(source, ForeachBatch(), "append", "available-now", state="windowed"),
            "dias",
            each=_show(lab, days),
        )
        lab.follow(query)
    progress = list(query.recentProgress)
    late = sum(int(state["numRowsDroppedByWatermark"]) for one in progress for state in one["stateOperators"])
    opened = sorted({line.rpartition(";")[2][:10] for line in lines} - set(days))
    mark = next(
        (one["eventTime"]["watermark"] for one in reversed(progress) if "watermark" in one["eventTime"]), ""
    )
    lab.say(
        f"marca de agua: {mark}; días abiertos todavía: {', '.join(opened) or 'ninguno'}; filas que llegaron demasiado tarde: {late}"
    )
    return {"days": days, "open": opened, "late": late, "watermark": mark}


def _show(lab: Lab, days: dict[str, dict[str, float]]) -> Any:
    def each(frame: DataFrame, batch: int) -> None:
        rows = sorted((row.Dia, row.Persona, row.Maximo) for row in frame.collect())
        for day, who, highest in rows:
            days.setdefault(day, {})[who] = highest
        if rows:
            lab.say(f"micro-batch {batch} cierra {rows[0][0]}")
            lab.table(("día", "persona", "máximo"), rows)

    return each
