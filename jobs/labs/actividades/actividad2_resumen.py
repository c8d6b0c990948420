"""Actividad 2: Caso 2, one file at a time; then Spark's counts in the plan and in the progress, beside a run
of Caudal."""

from __future__ import annotations

from typing import Any

from pyspark.sql.streaming import StreamingQuery

from jobs.contract.disk.layout import Layout
from jobs.contract.run import report
from jobs.domain import facturas
from jobs.labs.declared.ends import Folder, Pipeline
from jobs.labs.kit import progress, sample_files, spark_api
from jobs.labs.kit.lab import Facts, Lab

STREAM = "facturas_ficheros"
PIPELINE = Pipeline(Folder(), Folder("salida"), trigger="processing-time", interval="0 seconds")


def run(lab: Lab) -> Facts:
    """Facts: what lay in salida after each file; the plan's counts, added up over all batches; the summary of
    the progresses; Caudal's report."""
    query = lab.start(facturas.lineas(lab.read(PIPELINE.source, facturas.SCHEMA)), PIPELINE, "facturas")
    after = []
    for position, file in enumerate(sample_files.samples(lab.folder)):
        sample_files.deliver(file, lab.path("entrada"), position)
        query.processAllAvailable()
        parts = sample_files.parts(lab.path("salida"))
        after.append((file.name, len(parts), sample_files.lines(parts)))
    lab.follow(query, until=lambda: True)
    lab.say("salida después de cada fichero:")
    lab.table(("llega a entrada", "ficheros en salida", "líneas en salida"), after)
    plan = _plan(lab, query)
    done = progress.batches(query)
    lab.say("últimos progresos:")
    lab.table(progress.COLUMNS, [progress.row(p) for p in done])
    summary = progress.summary(done)
    lab.table(tuple(summary), [tuple(summary.values())])
    caudal = _caudal(lab)
    lab.pause(lab.number("seconds"))
    return {"after": [list(row) for row in after], "plan": plan, "progress": summary, "caudal": caudal}


def _plan(lab: Lab, query: StreamingQuery) -> dict[str, int]:
    """Operator and what it counted -> sum over the query's batches."""
    counted = spark_api.plan_counts(lab.ui, lab.spark.sparkContext.applicationId, str(query.runId))
    lab.say("estadísticas del plan, sumadas todas las ejecuciones:")
    lab.table(
        ("operador", "qué cuenta", "total"), [(*name.split(": "), total) for name, total in counted.items()]
    )
    return counted


def _caudal(lab: Lab) -> dict[str, Any]:
    """Counts of Caudal's run, which came before this lab; empty when there was none."""
    path = next(report.newest(Layout(lab.path("caudal")).runs(STREAM)), None)
    newest = report.read(path) if path else None
    if newest is None:
        return {}
    counts = {
        "batches": len(newest.batches),
        "records_in": newest.records_in,
        "rows_out": newest.rows_out,
        "quarantined": newest.quarantined,
    }
    lab.say("los mismos ficheros con Caudal (report.json; duration_s incluye el arranque de Spark):")
    lab.table((*counts, "duration_s"), [(*counts.values(), newest.duration_s)])
    return counts
