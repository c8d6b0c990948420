"""Trap 10: one event of 2099 makes all others late."""

from __future__ import annotations

from typing import Any

from jobs.contract.ends import Folder, ForeachBatch, Way
from jobs.core.lab import Facts, Lab
from jobs.core.lab_files import deliver
from jobs.domain import iot

LOTES = (range(5), range(5, 10), range(10, 15), range(15, 20), range(20, 25), range(25, 30), range(55, 59))
FUTURO = '{"sensor":"s1","temperatura":20.0,"momento":"2099-01-01T00:00:00Z"}'


def lecturas(minutes: range) -> list[str]:
    return [f'{{"sensor":"s1","temperatura":{minute}.0,"momento":"2026-11-01T10:{minute:02d}:00Z"}}' for minute in minutes]


def run(lab: Lab) -> Facts:
    """Facts: with and without the event: windows that came out, rows dropped as late."""
    for folder, first in (("con", [FUTURO]), ("sin", [])):
        for number, minutes in enumerate(LOTES):
            deliver(lab, f"{number}.json", [*(first if number == 0 else []), *lecturas(minutes)], folder, at_s=number)
    found = {"con": _windows(lab, "con"), "sin": _windows(lab, "sin")}
    rows = [(f"{name} el evento de 2099", facts["readings"], facts["late"]) for name, facts in found.items()]
    lab.table(("", "lecturas en ventanas que salen", "descartadas por tardías"), rows)
    return found


def _windows(lab: Lab, folder: str) -> dict[str, Any]:
    source, out = Folder(folder, max_files=1), list[dict[str, Any]]()
    with lab.settings(spark__sql__shuffle__partitions=2):
        frame = lab.read(source, iot.SCHEMA)
        way = Way(source, ForeachBatch(), state="windowed")
        query = lab.start(iot.maximas_contadas(frame), way, folder, each=lambda batch, _: out.extend(row.asDict() for row in batch.collect()))
        lab.follow(query)
    late = sum(int(state["numRowsDroppedByWatermark"]) for one in query.recentProgress for state in one["stateOperators"])
    return {"windows": len(out), "readings": sum(row["lecturas"] for row in out), "late": late}
