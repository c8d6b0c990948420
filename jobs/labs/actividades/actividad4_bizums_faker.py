"""Actividad 4 with dates: windows of a day under a watermark, late rows, and windows that stay open."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame

from jobs.domain import bizums
from jobs.labs.declared.ends import Folder, ForeachBatch, Pipeline
from jobs.labs.kit import progress
from jobs.labs.kit.files import deliver
from jobs.labs.kit.lab import Facts, Lab

_FILES = 6  # each a batch: the watermark moves between them


def run(lab: Lab) -> Facts:
    """Facts: days (day -> person -> highest) of closed windows, open (days that are not), late (rows
    dropped), watermark."""
    lines = lab.path("bizums.csv").read_text(encoding="utf-8").splitlines()
    size = -(-len(lines) // _FILES)
    for number in range(_FILES):
        deliver(lab, f"{number}.csv", lines[number * size : (number + 1) * size], at_s=number)
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
    late = progress.rows_late(query)
    opened = sorted({line.rpartition(";")[2][:10] for line in lines} - set(days))
    times = [p["eventTime"] for p in reversed(query.recentProgress)]
    mark = next((time["watermark"] for time in times if "watermark" in time), "")
    lab.say(
        f"marca de agua: {mark}; días abiertos todavía: {', '.join(opened) or 'ninguno'}; "
        f"filas que llegaron demasiado tarde: {late}"
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
