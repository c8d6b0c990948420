"""Any pipeline from a source to a sink, with sample data."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.streaming import StreamingQuery
from pyspark.sql.types import LongType, StringType, StructType

from jobs.core.write import sinks
from jobs.labs.declared import camino, castellano
from jobs.labs.declared.castellano import cuantos
from jobs.labs.declared.ends import (
    Delta,
    Folder,
    Foreach,
    Memory,
    Mongo,
    Pipeline,
    Rate,
    Socket,
    Subscription,
    Table,
    ValueFormat,
)
from jobs.labs.kit import line_server, mongo, progress, sources
from jobs.labs.kit.lab import Facts, Lab

PALABRAS = ("uno", "dos", "dos", "tres", "tres", "tres")
SCHEMA = StructType().add("n", LongType()).add("palabra", StringType())
# event times a minute apart: the last word's minute is the only one that stays open
START_S = 1_700_000_000
_IN_A_FILE = 2


def run(lab: Lab) -> Facts:
    """Facts: way, note, rows of the sink (as values), reads (rows that each batch read)."""
    asked = camino.pipeline(lab.options)
    castellano.require(asked, "camino")
    note = castellano.nota(asked)
    lab.say(
        " -> ".join(asked.kinds)
        + f", modo {asked.mode}, trigger {asked.trigger}, estado {asked.state}"
        + (f" ({note})" if note else "")
    )
    with contextlib.ExitStack() as stack:
        pipeline = replace(asked, source=_filled(lab, asked, stack), sink=_made(lab, asked))
        frame = encoded(_state(_words(lab, pipeline), pipeline), pipeline)
        batches: list[list[dict[str, Any]]] = []
        query = lab.start(frame, pipeline, "camino", each=_each(lab, pipeline, batches))
        _through(lab, pipeline, query)
        reads = [one["numInputRows"] for one in progress.batches(query) if one["numInputRows"]]
        rows = _rows(lab, pipeline, batches)
    if pipeline.trigger != "continuous":  # its epochs do not tell how many rows they read
        lab.say(
            f"{cuantos(len(reads), 'batch')} con datos, filas leídas: "
            f"{', '.join(map(str, reads)) or 'ninguna'}"
        )
    if pipeline.kinds[1] != "console":
        lab.table(list(rows[0]) if rows else ["(sin filas)"], [list(row.values()) for row in rows[:20]])
    return {
        "way": [*pipeline.kinds, pipeline.mode, pipeline.trigger, pipeline.state],
        "note": note,
        "rows": rows,
        "reads": reads,
    }


class ToFile:
    """The function of foreach: each row is a line of `file`. It runs in Spark's worker processes."""

    def __init__(self, file: str) -> None:
        self.file = file

    def process(self, row: Any) -> None:
        with Path(self.file).open("a", encoding="utf-8") as out:
            out.write(json.dumps(row.asDict(), default=str) + "\n")


def _filled(lab: Lab, pipeline: Pipeline, stack: contextlib.ExitStack) -> Any:
    """The pipeline's source, filled with the sample: six words, a minute apart. Rate makes rows by itself."""
    rows = [(i, word) for i, word in enumerate(PALABRAS)]
    match pipeline.source:
        case Folder():
            for at in range(0, len(rows), _IN_A_FILE):
                frame = lab.spark.createDataFrame(rows[at : at + _IN_A_FILE], SCHEMA).coalesce(1)
                one = frame.select("palabra") if pipeline.source.format == "text" else frame
                one.write.format(pipeline.source.format).options(**dict(pipeline.source.options)).mode(
                    "append"
                ).save(str(lab.path(pipeline.source.path)))
        case Subscription():
            topic = lab.topics.fresh("entrada")
            lab.topics.produce(topic, _values(lab, pipeline.source.format, rows))
            return replace(pipeline.source, topics=(topic,))
        case Socket():
            server = stack.enter_context(line_server.serving())
            stack.callback(server.close)
            for word in PALABRAS:
                server.send(word)
            return replace(pipeline.source, port=server.port)
        case Table():
            lab.spark.sql(f"DROP TABLE IF EXISTS {pipeline.source.name}")
            lab.spark.createDataFrame(rows, SCHEMA).coalesce(1).write.saveAsTable(pipeline.source.name)
        case Rate():
            pass
    return pipeline.source


def _values(lab: Lab, form: ValueFormat, rows: list[tuple[int, str]]) -> list[bytes]:
    frame = lab.spark.createDataFrame(rows, SCHEMA).coalesce(1)
    return [
        bytes(row.value) for row in frame.select(_value(frame, form).cast("binary").alias("value")).collect()
    ]


def _value(frame: DataFrame, form: ValueFormat) -> Any:
    return F.col("palabra") if form == "text" else sinks.packed(frame, form)


def _made(lab: Lab, pipeline: Pipeline) -> Any:
    """The pipeline's sink, ready and empty."""
    match pipeline.sink:
        case Subscription():
            return replace(pipeline.sink, topics=(lab.topics.fresh("salida"),))
        case Table():
            lab.spark.sql(f"DROP TABLE IF EXISTS {pipeline.sink.name}")
        case Memory():
            lab.spark.catalog.dropTempView(pipeline.sink.name)
        case Mongo():
            mongo.check(lab.text("mongo"))
            mongo.clear(lab.text("mongo"), pipeline.sink)
    return pipeline.sink


def _words(lab: Lab, pipeline: Pipeline) -> DataFrame:
    """The columns palabra and momento, from any source."""
    source = pipeline.source
    if isinstance(source, Rate):
        word = F.element_at(F.array(*map(F.lit, PALABRAS)), (F.col("value") % 6 + 1).cast("int"))
        return lab.read(source).select(word.alias("palabra"), F.col("timestamp").alias("momento"))
    if isinstance(source, Socket) or getattr(source, "format", "") == "text":
        frame = lab.read(source)
        text = F.col("value").cast("string") if isinstance(source, Subscription | Socket) else F.col("value")
        # only where it is needed: continuous processing has no current time
        now = [F.current_timestamp().alias("momento")] if pipeline.state == "windowed" else []
        return frame.select(text.alias("palabra"), *now)
    schema = None if isinstance(source, Table) or getattr(source, "infer", False) else SCHEMA
    frame = lab.read(source, schema)
    typed = sources.values(frame, source.format, SCHEMA) if isinstance(source, Subscription) else frame
    return typed.select("palabra", F.timestamp_seconds(F.lit(START_S) + F.col("n") * 60).alias("momento"))


def _state(words: DataFrame, pipeline: Pipeline) -> DataFrame:
    if pipeline.state == "none":
        return words.select("palabra")
    if pipeline.state == "aggregation":
        return words.groupBy("palabra").count()
    window = (
        words.withWatermark("momento", "1 minute")
        .groupBy(F.window("momento", "1 minute").alias("ventana"), "palabra")
        .count()
    )
    return window.select(F.col("ventana.start").cast("string").alias("desde"), "palabra", "count")


def encoded(rows: DataFrame, pipeline: Pipeline) -> DataFrame:
    """The rows in the sink's form: key and value for kafka, one column for text, else as they are."""
    if isinstance(pipeline.sink, Subscription):
        return rows.select(F.col("palabra").alias("key"), _value(rows, pipeline.sink.format).alias("value"))
    return (
        rows.select("palabra")
        if isinstance(pipeline.sink, Folder) and pipeline.sink.format == "text"
        else rows
    )


def _each(lab: Lab, pipeline: Pipeline, batches: list[list[dict[str, Any]]]) -> Any:
    """The function of foreach (rows to a file) and foreachBatch (rows into `batches`, or upserts into
    MongoDB)."""
    if isinstance(pipeline.sink, Mongo):
        return mongo.writer(lab.text("mongo"), pipeline.sink)
    if isinstance(pipeline.sink, Foreach):
        return ToFile(str(lab.path("foreach.jsonl")))
    return lambda frame, _: batches.append([row.asDict() for row in frame.collect()])


def _through(lab: Lab, pipeline: Pipeline, query: StreamingQuery) -> None:
    """Waits until the whole sample is processed. A bounded run ends by itself, another one when no more data
    come."""
    bounded = pipeline.trigger in ("once", "available-now")

    def through() -> bool:
        seen = sum(p["numInputRows"] for p in query.recentProgress)
        return (
            not bounded
            and pipeline.trigger != "continuous"
            and seen >= len(PALABRAS)
            and not query.status["isDataAvailable"]
        )

    lab.follow(query, seconds=0 if bounded else float(lab.options["seconds"]), until=through)


def _rows(lab: Lab, pipeline: Pipeline, batches: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The rows in the sink now; for the console, which showed them, the newest batch."""
    match pipeline.sink:
        case Folder():
            reader = lab.spark.read.format(pipeline.sink.format)
            table = reader.load(str(lab.path(pipeline.sink.path)))
        case Subscription():
            texts = [(r.key or b"").decode() for r in lab.topics.read(pipeline.sink.topics[0])]
            return [{"key": text} for text in sorted(texts)]
        case Delta():
            table = lab.spark.read.format("delta").load(str(lab.path(pipeline.sink.path)))
        case Table() | Memory():
            table = lab.spark.table(pipeline.sink.name)
        case Foreach():
            path = lab.path("foreach.jsonl")
            return (
                [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
                if path.exists()
                else []
            )
        case Mongo():
            return mongo.documents(lab.text("mongo"), pipeline.sink)
        case _:
            return next((batch for batch in reversed(batches) if batch), [])
    return sorted((row.asDict() for row in table.collect()), key=str)
