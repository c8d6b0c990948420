"""The MongoDB sink: upserts by key, and a batch that comes twice."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from pyspark.sql import DataFrame

from jobs.domain import bizums
from jobs.labs.declared.castellano import cuantos
from jobs.labs.declared.ends import Folder, Mongo, Pipeline
from jobs.labs.kit import mongo
from jobs.labs.kit.files import deliver
from jobs.labs.kit.lab import Facts, Lab

_FILES = 3


def run(lab: Lab) -> Facts:
    """Facts: documents (person -> highest), writes (batches written, those that came twice counted twice)."""
    lines = lab.path("bizums.csv").read_text(encoding="utf-8").splitlines()
    size = -(-len(lines) // _FILES)
    for number in range(_FILES):
        deliver(lab, f"{number}.csv", lines[number * size : (number + 1) * size], at_s=number)
    sink, source, writes = (
        Mongo("caudal", "bizums", "Persona"),
        Folder("entrada", "text", max_files=1),
        list[int](),
    )
    with contextlib.ExitStack() as stack:
        uri = lab.text("mongo") or stack.enter_context(mongo.in_memory(lab.spark, lab.jars))
        mongo.check(uri)
        mongo.clear(uri, sink)
        pipeline = Pipeline(source, sink, "update", state="aggregation")
        with lab.settings(spark__sql__shuffle__partitions=2):
            highest = bizums.maximos(bizums.leidos(lab.read(source))).where("Persona IS NOT NULL")
            lab.follow(lab.start(highest, pipeline, "mongodb", each=_twice(mongo.writer(uri, sink), writes)))
        documents = {one["_id"]: one["Maximo"] for one in mongo.documents(uri, sink)}
    lab.table(("persona", "máximo"), sorted(documents.items()))
    written, parts = cuantos(len(writes), "escritura"), cuantos(len(set(writes)), "lote")
    lab.say(f"{written} de {parts}, cada lote dos veces; {cuantos(len(documents), 'documento')}")
    return {"documents": documents, "writes": len(writes)}


def _twice(upsert: Callable[[DataFrame, int], None], writes: list[int]) -> Callable[[DataFrame, int], None]:
    def write(frame: DataFrame, batch: int) -> None:
        for _ in range(2):
            upsert(frame, batch)
            writes.append(batch)

    return write
