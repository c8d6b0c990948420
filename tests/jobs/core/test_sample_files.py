"""Which files of an output folder count: those of the sink's log, when there is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.labs.kit import sample_files


@pytest.mark.spark
def test_a_part_that_no_batch_committed_does_not_count_also_after_a_compaction(
    spark: Any, tmp_path: Path
) -> None:
    session = spark.newSession()
    session.conf.set("spark.sql.streaming.fileSink.log.compactInterval", "2")
    source, sink = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for n in range(5):
        (source / f"{n}.txt").write_text(f"a{n}\nb{n}\n")
    rows = session.readStream.option("maxFilesPerTrigger", 1).text(str(source))
    writer = (
        rows.writeStream.format("text")
        .option("checkpointLocation", str(tmp_path / "checkpoint"))
        .trigger(availableNow=True)
    )
    writer.start(str(sink)).awaitTermination()
    assert list((sink / "_spark_metadata").glob("*.compact"))
    (sink / "part-00000-of-a-batch-that-failed.txt").write_text("a0\n")
    assert sample_files.lines(sample_files.parts(sink)) == 10 == session.read.text(str(sink)).count()


def test_without_a_log_every_part_counts(tmp_path: Path) -> None:
    (tmp_path / "part-0").write_text("a\n")
    (tmp_path / "other").write_text("b\n")
    assert sample_files.parts(tmp_path) == [tmp_path / "part-0"]
