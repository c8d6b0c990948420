"""Spark's own streaming sinks, as a lab declares them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.streaming import DataStreamWriter, StreamingQuery

from jobs.labs.declared import ends
from jobs.labs.declared.ends import Way


def start(
    frame: DataFrame,
    way: Way,
    name: str,
    *,
    folder: Path,
    kafka: Mapping[str, str],
    each: Any,
    checkpoint: str,
) -> StreamingQuery:
    """A lab's streaming write by Spark's own sinks, started. `each`: the function of foreach and foreachBatch. kafka wants columns key and value."""
    writer = (
        frame.writeStream.queryName(name)
        .outputMode(way.mode)
        .option("checkpointLocation", str(folder / "checkpoints" / checkpoint))
    )
    writer = _triggered(writer, way)
    match way.sink:
        case ends.Folder():
            return (
                writer.format(way.sink.format)
                .options(**dict(way.sink.options))
                .start(str(folder / way.sink.path))
            )
        case ends.Subscription():
            return writer.format("kafka").options(**kafka).option("topic", way.sink.topics[0]).start()
        case ends.Table():
            return writer.toTable(way.sink.name)
        case ends.Delta():
            return writer.format("delta").start(str(folder / way.sink.path))
        case ends.Console():
            return (
                writer.format("console")
                .option("numRows", way.sink.rows)
                .option("truncate", str(way.sink.truncate).lower())
                .start()
            )
        case ends.Memory():
            return writer.format("memory").queryName(way.sink.name).start()
        case ends.Foreach():
            return writer.foreach(each).start()
        case _:  # foreachBatch, and MongoDB by it
            return writer.foreachBatch(each).start()


def _triggered(writer: DataStreamWriter, way: Way) -> DataStreamWriter:
    match way.trigger:
        case "processing-time":
            return writer.trigger(processingTime=way.interval)
        case "once":
            return writer.trigger(once=True)
        case "available-now":
            return writer.trigger(availableNow=True)
        case "continuous":
            return writer.trigger(continuous=way.interval)
        case _:
            return writer
