"""Caso 2, monitored: its plan, and its progress as a table, bars and a picture."""

from __future__ import annotations

import re
from typing import Any

from jobs.domain import facturas
from jobs.labs.declared.ends import Folder, Pipeline
from jobs.labs.kit import progress, sample_files
from jobs.labs.kit.lab import Facts, Lab

_WIDTH = 160  # of a line of the plan


def run(lab: Lab) -> Facts:
    """Facts: rows and batch of each progress, of the last one, operators of the plan, the picture's path and
    size."""
    for position, file in enumerate(sample_files.samples(lab.folder)):
        sample_files.deliver(file, lab.path("entrada"), position)
    source = Folder(max_files=1)
    query = lab.start(
        facturas.lineas(lab.read(source, facturas.SCHEMA)), Pipeline(source, Folder("salida")), "facturas"
    )
    lab.follow(query)
    plan = [line for line in query._jsq.explainInternal(False).splitlines() if line.strip()]
    lab.say("explain():")
    for line in plan:
        lab.say(line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…")
    done = progress.batches(query)
    lab.say("recentProgress:")
    lab.table(progress.COLUMNS, [progress.row(p) for p in done])
    for line in progress.bars(
        [f"batch {p['batchId']}" for p in done], [p["durationMs"]["triggerExecution"] for p in done], "ms"
    ):
        lab.say(line)
    last = _last(lab, query.lastProgress)
    picture = lab.path("progreso.png")
    progress.plot(done, picture, "Caso 2: filas y tiempo de cada batch")
    lab.say(f"gráfico: {picture}")
    lab.pause(lab.number("seconds"))
    return {
        "batches": [p["batchId"] for p in done],
        "rows": [p["numInputRows"] for p in done],
        "last": last,
        "plan": operators(plan),
        "picture": str(picture),
    }


def _last(lab: Lab, newest: dict[str, Any]) -> dict[str, Any]:
    """The last progress in a few lines. It is of the newest look at the source, which may have found
    nothing."""
    source = newest["sources"][0]
    shown = {name: newest[name] for name in ("name", "batchId", "numInputRows")}
    shown |= {name: source[name] for name in ("startOffset", "endOffset")}
    shown["sink"] = newest["sink"]["description"].partition("[")[0]
    lab.say("lastProgress:")
    lab.table(("campo", "valor"), list(shown.items()))
    return shown


def operators(plan: list[str]) -> list[str]:
    """Names of the plan's physical operators, top to bottom: `+- *(1) Project [...]` -> Project."""
    words = [re.sub(r"^[ :+-]*(\*\(\d+\) )?", "", line) for line in plan if not line.startswith("==")]
    return [word.split()[0] for word in words if word]
