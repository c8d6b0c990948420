"""Writes the refused records of a batch into cuarentena: staged first, then moved by one rename.

They are published before the batch itself, because a batch that is published is never done again. They count
only if the published manifest has their digest, so a leftover of a killed attempt does no harm.
"""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.contract.commit.manifest import digest
from jobs.contract.disk import storage
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import AccountMismatch
from jobs.contract.run.spec import RunSpec
from jobs.core.read.csv_headers import HeaderLayouts
from jobs.core.read.records import Subject, header, is_refused, message
from jobs.core.write import sinks


def publish(
    classified: DataFrame,
    subject: Subject,
    spec: RunSpec,
    batch: int,
    expected: int,
    layouts: HeaderLayouts | None,
) -> str:
    """Publishes the refused records of `classified` in cuarentena. Returns their digest.

    They are JSON with reason, message, origin and run_id; header, for a csv record whose fields are not in
    the schema's order; and raw, or raw_base64 where the bytes are not UTF-8. A leftover of an attempt that
    died before its manifest is replaced. Raises AccountMismatch when their number is not `expected`.
    """
    layout = Layout(Path(spec.home))
    staged = layout.staged_batch(spec.stream.name, spec.generation, batch, f"{spec.run_id}.registros")
    target = layout.refused_records(spec.stream.name, spec.generation, batch)
    _refused(classified, subject, spec, layouts).write.mode("errorifexists").json(str(staged))
    files = sinks.seal(staged, "json", header=False)
    if (written := sum(f.records for f in files)) != expected:
        raise AccountMismatch(f"{expected} records refused, {written} written to quarantine", staged)
    # the folder's names, then its new name: a name that survives a power cut must lead to whole files
    storage.fsync_dir(staged)
    storage.make_dirs(target.parent)
    if target.exists():
        storage.remove_tree(layout.data, target)
    storage.rename_dir_new(staged, target)
    return digest(sorted((f.sha256, f.records) for f in files))


def _refused(
    classified: DataFrame, subject: Subject, spec: RunSpec, layouts: HeaderLayouts | None
) -> DataFrame:
    text = F.col("_raw").cast("string")
    is_text = F.is_valid_utf8(text)
    columns = [
        F.col("_reason").alias("reason"),
        message(classified, subject, spec.stream, layouts).alias("message"),
        F.col("_origin").alias("origin"),
        header(layouts).alias("header"),
    ]
    raw = [F.when(is_text, text).alias("raw"), F.when(~is_text, F.base64("_raw")).alias("raw_base64")]
    return classified.where(is_refused()).select(*columns, *raw, F.lit(spec.run_id).alias("run_id"))
