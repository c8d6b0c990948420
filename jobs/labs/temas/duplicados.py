"""Deduplication under a watermark."""

from __future__ import annotations

from pyspark.sql.types import StringType, StructType, TimestampType

from jobs.labs.declared.ends import Folder, ForeachBatch, Pipeline
from jobs.labs.kit import progress
from jobs.labs.kit.files import deliver
from jobs.labs.kit.lab import Facts, Lab

AVISOS = StructType().add("id", StringType()).add("momento", TimestampType())
# four batches; the watermark is ten minutes behind the newest of the batches before
LOTES = (
    ("a,2026-11-01T10:00:00Z", "b,2026-11-01T10:01:00Z", "a,2026-11-01T10:00:30Z"),
    ("a,2026-11-01T10:03:00Z", "c,2026-11-01T10:40:00Z"),
    ("d,2026-11-01T10:41:00Z",),
    ("a,2026-11-01T10:45:00Z", "b,2026-11-01T10:02:00Z"),
)


def run(lab: Lab) -> Facts:
    """Facts: out (ids in the order they came out, by batch), late (rows behind the watermark, dropped)."""
    for number, lines in enumerate(LOTES):
        deliver(lab, f"{number}.csv", lines, at_s=number)
    source, out = Folder("entrada", "csv", max_files=1), []
    with lab.settings(spark__sql__shuffle__partitions=2):
        once = (
            lab.read(source, AVISOS)
            .withWatermark("momento", "10 minutes")
            .dropDuplicatesWithinWatermark(["id"])
        )
        pipeline = Pipeline(source, ForeachBatch(), state="windowed")
        query = lab.start(
            once,
            pipeline,
            "avisos",
            each=lambda frame, _: out.append(sorted(row.id for row in frame.collect())),
        )
        lab.follow(query)
    late = progress.rows_late(query)
    batches = [ids for ids in out if ids]
    lab.table(("lote", "salen"), [(number, " ".join(ids)) for number, ids in enumerate(batches)])
    lab.say(
        "«a» se reconoce mientras dura su marca de agua y sale otra vez cuando Spark ya la ha olvidado; "
        f"filas demasiado tarde: {late}"
    )
    return {"out": batches, "late": late}
