"""Spark's own streaming sinks, as a lab declares them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.streaming import DataStreamWriter, StreamingQuery

from jobs.labs.declared import ends
from jobs.labs.declared.ends import Pipeline


def start(
    frame: DataFrame,
    pipeline: Pipeline,
    name: str,
    *,
    folder: Path,
    kafka: Mapping[str, str],
    each: Any,
    checkpoint: str,
) -> StreamingQuery:
    """Starts a streaming write into one of Spark's own sinks. `each`: the function of foreach and
    foreachBatch. The kafka sink expects columns key and value."""
    writer = (
        frame.writeStream.queryName(name)
        .outputMode(pipeline.mode)
        .option("checkpointLocation", str(folder / "checkpoints" / checkpoint))
    )
    writer = _triggered(writer, pipeline)
    match pipeline.sink:
        case ends.Folder():
            return (
                writer.format(pipeline.sink.format)
                .options(**dict(pipeline.sink.options))
                .start(str(folder / pipeline.sink.path))
            )
        case ends.Subscription():
            return writer.format("kafka").options(**kafka).option("topic", pipeline.sink.topics[0]).start()
        case ends.Table():
            return writer.toTable(pipeline.sink.name)
        case ends.Delta():
            return writer.format("delta").start(str(folder / pipeline.sink.path))
        case ends.Console():
            return (
                writer.format("console")
                .option("numRows", pipeline.sink.rows)
                .option("truncate", str(pipeline.sink.truncate).lower())
                .start()
            )
        case ends.Memory():
            return writer.format("memory").queryName(pipeline.sink.name).start()
        case ends.Foreach():
            return writer.foreach(each).start()
        case _:  # foreachBatch; MongoDB is written by it, too
            return writer.foreachBatch(each).start()


def _triggered(writer: DataStreamWriter, pipeline: Pipeline) -> DataStreamWriter:
    match pipeline.trigger:
        case "processing-time":
            return writer.trigger(processingTime=pipeline.interval)
        case "once":
            return writer.trigger(once=True)
        case "available-now":
            return writer.trigger(availableNow=True)
        case "continuous":
            return writer.trigger(continuous=pipeline.interval)
        case _:
            return writer
