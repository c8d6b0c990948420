"""Actividad 1: five micro-batches of Caso 1, and the jobs, stages and tasks behind each."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.domain import palabras
from jobs.labs.casos.caso1_palabras import heard, kept
from jobs.labs.declared.castellano import cuantos
from jobs.labs.declared.ends import Console, Pipeline, Socket
from jobs.labs.kit import line_server, progress, spark_api
from jobs.labs.kit.lab import Facts, Lab
from jobs.labs.kit.spark_api import Job

LINEAS = ("uno", "uno dos", "uno dos tres", "cuatro", "cinco cinco")


def run(lab: Lab) -> Facts:
    """Facts: of each batch its number, lines, and jobs as lists of the tasks of their stages; the counts kept
    at the end."""
    with (
        line_server.serving() as server,
        lab.settings(spark__sql__shuffle__partitions=lab.number("partitions")),
    ):
        pipeline = Pipeline(
            Socket(port=server.port),
            Console(),
            mode=lab.text("mode"),  # type: ignore[arg-type]
            trigger="default",
            state="aggregation",
        )
        query = lab.start(palabras.contadas(lab.read(pipeline.source)), pipeline, "palabras")
        lab.follow(query, until=line_server.dictated(server, LINEAS, lambda: heard(query), lab.say))
    jobs = spark_api.jobs(lab.ui, lab.spark.sparkContext.applicationId, str(query.runId))
    lines = {p["batchId"]: p["numInputRows"] for p in progress.batches(query)}
    lab.table(("batch", "líneas", "job", "stage", "tareas", "estado", "qué hace"), rows(jobs, lines))
    for line in why(jobs, lab.number("partitions")):
        lab.say(line)
    batches = [
        {"batch": b, "lines": n, "jobs": [[s.tasks for s in job.stages] for job in jobs if job.batch == b]}
        for b, n in lines.items()
    ]
    lab.pause(lab.number("seconds"))
    return {"batches": batches, "counts": kept(lab)}


def rows(jobs: Sequence[Job], lines: dict[int, int]) -> list[tuple[object, ...]]:
    """One row for each stage: batch, its lines, job, stage, tasks, status, what it does."""
    return [
        (job.batch, lines.get(job.batch, 0), job.number, s.number, s.tasks, s.status, _does(at, job))
        for job in jobs
        for at, s in enumerate(job.stages)
    ]


def _does(at: int, job: Job) -> str:
    if at == 0 and len(job.stages) > 1:
        return "lee del socket, separa palabras, cuenta por partición"
    return "baraja, suma con el estado, escribe"


def why(jobs: Sequence[Job], partitions: int) -> list[str]:
    """A sentence for each number of the table."""
    of_batch = [job for job in jobs if job.batch >= 0]
    if not of_batch:
        return ["ningún batch ha terminado"]
    batches, first = sorted({job.batch for job in of_batch}), of_batch[0].stages
    return [
        f"{cuantos(len(batches), 'batch')} (del {batches[0]} al {batches[-1]}): "
        "el 0 es el arranque, sin líneas; crea el estado vacío. Después, uno por línea.",
        f"{cuantos(len(of_batch), 'job', 'jobs')}, {len(of_batch) // len(batches)} por batch: "
        "una consulta con un solo destino hace una sola escritura por batch.",
        f"{cuantos(len(first), 'stage')} por job: "
        "groupBy tiene que juntar cada palabra en un sitio, y ese barajado corta el job en dos.",
        f"{cuantos(first[0].tasks, 'tarea')} en el primer stage: "
        "el socket se reparte entre los núcleos (local[N]), aunque llegue una sola línea.",
        f"{first[-1].tasks} en el segundo: spark.sql.shuffle.partitions={partitions}; "
        "con el valor por defecto serían 200, casi todas vacías.",
    ]
