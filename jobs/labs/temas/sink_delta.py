"""The Delta sink: a batch that comes twice, the versions of a table, and what a reader without Delta sees."""

from __future__ import annotations

import json
from pathlib import Path

from pyspark.sql import functions as F

from jobs.domain import facturas
from jobs.labs.declared.castellano import cuantos
from jobs.labs.declared.ends import Delta, Folder, Pipeline
from jobs.labs.kit import sample_files
from jobs.labs.kit.lab import Facts, Lab


def run(lab: Lab) -> Facts:
    """Facts: lines (rows of the table), again (after the last batch came twice), first (as of version 0),
    versions (batch and rows that each version added), summary (rows of the summary) and files (rows of all
    its part files)."""
    for position, file in enumerate(sample_files.samples(lab.folder)):
        sample_files.deliver(file, lab.path("entrada"), position)
    source = Folder(max_files=1)
    pipeline, table = Pipeline(source, Delta("lineas")), lab.path("lineas")
    lines = _write(lab, pipeline)
    for name in ("2", ".2.crc"):
        lab.path("checkpoints", "lineas", "commits", name).unlink()
    again = _write(lab, pipeline)
    lab.say(
        f"{cuantos(lines, 'línea')} en tres batches; con el último repetido, como después de un kill -9: "
        f"{again}"
    )
    versions = _versions(table)
    lab.table(("versión", "batch", "filas que añade"), [(n, *one) for n, one in enumerate(versions)])
    first = lab.spark.read.format("delta").option("versionAsOf", 0).load(str(table)).count()
    lab.say(f"la versión 0 sigue ahí: {cuantos(first, 'línea')}")
    summary, files = _summary(lab, source)
    read = cuantos(summary, "fila leída", "filas leídas")
    lab.say(
        f"resumen por ciudad: {read} con Delta, {files} en todos sus ficheros: "
        "los de los batches anteriores siguen ahí"
    )
    return {
        "lines": lines,
        "again": again,
        "first": first,
        "versions": [list(one) for one in versions],
        "summary": summary,
        "files": files,
    }


def _write(lab: Lab, pipeline: Pipeline) -> int:
    lab.follow(lab.start(facturas.lineas(lab.read(pipeline.source, facturas.SCHEMA)), pipeline, "lineas"))
    return _rows(lab, "lineas")


def _rows(lab: Lab, folder: str) -> int:
    return int(lab.spark.read.format("delta").load(str(lab.path(folder))).count())


def _versions(table: Path) -> list[tuple[int, int]]:
    """(batch, rows) of each version, by plain Python from the table's log."""
    versions = []
    for file in sorted((table / "_delta_log").glob("*.json")):
        actions = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        batch = next(int(one["txn"]["version"]) for one in actions if "txn" in one)
        versions.append(
            (batch, sum(json.loads(one["add"]["stats"])["numRecords"] for one in actions if "add" in one))
        )
    return versions


def _summary(lab: Lab, source: Folder) -> tuple[int, int]:
    """Rows of a table that each batch replaces, read with Delta, and rows of all its part files."""
    pipeline = Pipeline(source, Delta("ciudades"), "complete", state="aggregation")
    with lab.settings(spark__sql__shuffle__partitions=2):
        cities = lab.read(source, facturas.SCHEMA).groupBy(
            F.coalesce("DeliveryAddress.City", F.lit("TAKEAWAY")).alias("ciudad")
        )
        lab.follow(lab.start(cities.agg(F.sum("TotalAmount").alias("importe")), pipeline, "ciudades"))
    parts = [str(part) for part in sample_files.parts(lab.path("ciudades"))]
    return _rows(lab, "ciudades"), lab.spark.read.parquet(*parts).count()
