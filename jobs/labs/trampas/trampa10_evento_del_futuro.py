"""Trap 10: one event of 2099 makes all others late; strict reading puts it aside before it can move a
watermark."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame

from jobs.contract.stream import Checks, EventTime, Files, Stream
from jobs.core.read import records
from jobs.core.read.records import Subject
from jobs.domain import iot
from jobs.labs.declared.ends import Folder, ForeachBatch, Pipeline
from jobs.labs.kit import progress, strict
from jobs.labs.kit.files import deliver
from jobs.labs.kit.lab import Facts, Lab

LOTES = (range(5), range(5, 10), range(10, 15), range(15, 20), range(20, 25), range(25, 30), range(55, 59))
FUTURO = '{"sensor":"s1","temperatura":20.0,"momento":"2099-01-01T00:00:00Z"}'
COMO_CAUDAL = Stream(
    "trampa10",
    Files("json"),
    Files("json"),
    checks=Checks(event_time=EventTime("momento", "timestamp", future_s=600)),
)
_READINGS = Subject(iot.SCHEMA, iot.RULES)


def lecturas(minutes: range) -> list[str]:
    return [
        f'{{"sensor":"s1","temperatura":{minute}.0,"momento":"2026-11-01T10:{minute:02d}:00Z"}}'
        for minute in minutes
    ]


def run(lab: Lab) -> Facts:
    """Facts: sin (without the event), con (with it) and caudal (with it, behind strict reading), each with
    the windows that came out, the readings in them and the rows dropped as late; refused: reason -> how many
    records strict reading put aside."""
    for folder, first in (("con", [FUTURO]), ("sin", [])):
        for number, minutes in enumerate(LOTES):
            deliver(
                lab,
                f"{number}.json",
                [*(first if number == 0 else []), *lecturas(minutes)],
                folder,
                at_s=number,
            )
    source = {folder: Folder(folder, max_files=1) for folder in ("sin", "con")}
    facts = {
        name: _windows(lab, name, lab.read(pipeline, iot.SCHEMA), pipeline)
        for name, pipeline in source.items()
    }
    text = Folder("con", "text", max_files=1)
    facts["caudal"] = _windows(
        lab,
        "caudal",
        records.business(strict.classified(lab.read(text), _READINGS, COMO_CAUDAL), _READINGS),
        text,
    )
    reasons = strict.refused(lab.spark.read.text(str(lab.path("con"))), _READINGS, COMO_CAUDAL)
    aside = f"{sum(reasons.values())} en cuarentena: {', '.join(reasons)}"
    names = {"sin": "sin el evento de 2099", "con": "con él", "caudal": f"con él, en Caudal; {aside}"}
    lab.table(
        ("", "lecturas en ventanas que salen", "descartadas por tardías"),
        [(names[k], f["readings"], f["late"]) for k, f in facts.items()],
    )
    return {**facts, "refused": reasons}


def _windows(lab: Lab, name: str, readings: DataFrame, source: Folder) -> dict[str, Any]:
    out = list[dict[str, Any]]()
    with lab.settings(spark__sql__shuffle__partitions=2):
        pipeline = Pipeline(source, ForeachBatch(), state="windowed")
        query = lab.start(
            iot.maximas_contadas(readings),
            pipeline,
            name,
            each=lambda batch, _: out.extend(row.asDict() for row in batch.collect()),
        )
        lab.follow(query)
    readings_out = sum(row["lecturas"] for row in out)
    return {"windows": len(out), "readings": readings_out, "late": progress.rows_late(query)}
