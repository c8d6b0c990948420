"""Streaming sources. A stream's gives the raw record, where it came from and since when it is here (parsing is records.py's business); a lab's is
Spark's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import from_avro
from pyspark.sql.types import StructType

from jobs.contract import ends, properties, upstream
from jobs.contract.errors import BrokenStream, DataError
from jobs.contract.layout import Layout
from jobs.contract.spec import RunSpec
from jobs.contract.stream import Files, Published, Topic
from jobs.core import avro, csv_form, strict
from jobs.domain.positions import POSITION

# Admitted files carry their admission time as mtime, so only an outage longer than this could hide one.
_NEVER_TOO_OLD = "36500d"
# not 500: Spark asks once more at the end of what it reads; three short partitions on two cores take 0.4 s instead of 1.4
_FETCH_WAIT_MS = "20"


def read(spark: SparkSession, spec: RunSpec) -> DataFrame:
    """The stream's source: _raw (binary: one record as it came, null for a Kafka tombstone), _origin (admitted file, or topic/partition/offset),
    _admitted (timestamp: the file's admission, or the Kafka record's own time, but none later than the batch's planning)."""
    source = spec.stream.source
    return _topic(spark, spec, source) if isinstance(source, Topic) else _files(spark, spec)


def _files(spark: SparkSession, spec: RunSpec) -> DataFrame:
    folder, source = Layout(Path(spec.home)).en_proceso(spec.stream.folder), spec.stream.source
    assert isinstance(source, Files)  # noqa: S101 - the caller's condition
    reader = (
        spark.readStream.format("text")
        .option("lineSep", "\n")  # without it a lone CR splits a record
        .option("wholetext", str(source.multiline).lower())
        .option("maxBytesPerTrigger", str(spec.stream.limits.batch_bytes))
        .option("maxFileAge", _NEVER_TOO_OLD)
    )
    text = reader.load(str(folder)).select(
        F.col("value").cast("binary").alias("_raw"),
        F.col("_metadata.file_name").alias("_origin"),
        F.col("_metadata.file_modification_time").alias("_admitted"),
    )
    return text.withColumn("_raw", F.explode(strict.split_csv(text, source, "_raw"))) if source.multiline else text


def _topic(spark: SparkSession, spec: RunSpec, source: Topic) -> DataFrame:
    reader = (
        spark.readStream.format("kafka")
        .options(**kafka_options(spec))
        .option("subscribe", source.name)
        .option("startingOffsets", spec.start if isinstance(spec.start, str) else json.dumps(spec.start))
        .option("failOnDataLoss", "true")
        .option("maxOffsetsPerTrigger", str(spec.stream.limits.batch_records))
        .option("kafka.isolation.level", "read_committed")
        .option("kafka.fetch.max.wait.ms", _FETCH_WAIT_MS)
        .option("kafka.max.poll.records", "5000")  # 2.7 -> 2.2 s for 500,000 records, with the bigger fetch
        .option("kafka.max.partition.fetch.bytes", "8388608")
    )
    origin = F.concat_ws("/", F.col("topic"), F.col("partition"), F.col("offset"))
    # a producer may write any time on its record; "now" is the batch's own in the checkpoint, so that the batch run again judges alike
    admitted = F.least(F.col("timestamp"), F.current_timestamp())
    return reader.load().select(F.col("value").alias("_raw"), origin.alias("_origin"), admitted.alias("_admitted"))


def published(spark: SparkSession, spec: RunSpec, schema: StructType) -> DataFrame:
    """Rows that another stream has published, in the order it did, typed by `schema`; a value of another type fails the batch."""
    source = spec.stream.source
    assert isinstance(source, Published)  # noqa: S101 - the caller's condition
    reader = spark.readStream.format(source.files.format).schema(schema).option("mode", "FAILFAST")
    if source.files.format == "csv":
        reader = reader.options(**csv_form.read_options(source.files.separator, source.files.header))
    reader = reader.option("maxBytesPerTrigger", str(spec.stream.limits.batch_bytes)).option("maxFileAge", _NEVER_TOO_OLD)
    return reader.load(upstream.glob(Layout(Path(spec.home)), source.stream))


def position(spec: RunSpec) -> list[Column]:
    """Made of _origin, for a transactional sink: the column that its rows must keep. For files `where` is the file's name, the numbers are null."""
    if not spec.stream.transactional:
        return []
    where, partition, offset = F.col("_origin"), F.lit(None), F.lit(None)
    if isinstance(spec.stream.source, Topic):
        where, partition, offset = (F.split_part(F.col("_origin"), F.lit("/"), F.lit(i)) for i in (1, 2, 3))
    numbers = [partition.cast("int").alias("partition"), offset.cast("long").alias("offset"), F.spark_partition_id().alias("task")]
    return [F.struct(where.alias("where"), *numbers).alias(POSITION)]


def kafka_options(spec: RunSpec) -> dict[str, str]:
    """Connection options for Spark's Kafka source and sink; the properties file is read here, in the driver, and nowhere logged."""
    given = properties.read(Path(spec.kafka_properties)) if spec.kafka_properties else {}
    return {f"kafka.{key}": value for key, value in given.items()} | {"kafka.bootstrap.servers": spec.bootstrap}


def open_end(spark: SparkSession, source: ends.Source, *, folder: Path, kafka: Mapping[str, str], schema: StructType | None = None) -> DataFrame:
    """A lab's source: Spark's own, as it comes (files: `schema`, or inferred; kafka: key, value, topic, partition, offset, timestamp…; socket: value;
    rate: timestamp, value). `folder`: the lab's; `kafka`: connection options."""
    match source:
        case ends.Folder():
            return _folder(spark, source, folder / source.path, schema)
        case ends.Subscription():
            reader = spark.readStream.format("kafka").options(**kafka, **_subscribed(source))
            return reader.option("kafka.fetch.max.wait.ms", _FETCH_WAIT_MS).load()
        case ends.Socket():
            return spark.readStream.format("socket").options(host=source.host, port=str(source.port)).load()
        case ends.Rate():
            return spark.readStream.format("rate").option("rowsPerSecond", source.rows_per_second).load()
        case ends.Table():
            return spark.readStream.table(source.name)


def _folder(spark: SparkSession, source: ends.Folder, path: Path, schema: StructType | None) -> DataFrame:
    path.mkdir(parents=True, exist_ok=True)
    if schema is None and source.format != "text":
        if not source.infer:
            raise BrokenStream("a file source needs its schema, or infer=True", source.path)
        schema = inferred(spark, source, path)
    reader = spark.readStream.format(source.format).options(**dict(source.options)).option("latestFirst", str(source.latest_first).lower())
    if schema is not None:
        reader = reader.schema(schema)
    for option, limit in (("maxFilesPerTrigger", source.max_files), ("maxBytesPerTrigger", source.max_bytes)):
        reader = reader.option(option, str(limit)) if limit else reader
    return reader.load(str(path))


def inferred(spark: SparkSession, source: ends.Folder, path: Path) -> StructType:
    """The schema of the files that lie in `path` now; says what that means. Raises DataError when there is none to look at."""
    if not any(file.is_file() and not file.name.startswith((".", "_")) for file in path.iterdir()):
        raise DataError("no hay ningún fichero del que inferir el esquema", path, cli="pon antes un fichero, o da el esquema")
    found = spark.read.format(source.format).options(**dict(source.options)).load(str(path)).schema
    what = f"esquema inferido de lo que hay ahora en {path.name} ({', '.join(found.names)})"
    print(f"aviso: {what}; un fichero posterior de otra forma da nulos", flush=True)
    return found


def _subscribed(source: ends.Subscription) -> dict[str, str]:
    options = {"subscribePattern": source.pattern} if source.pattern else {"subscribe": ",".join(source.topics)}
    if isinstance(source.start, int):
        options |= {"startingTimestamp": str(source.start), "startingOffsetsByTimestampStrategy": "latest"}
    else:
        options["startingOffsets"] = source.start if isinstance(source.start, str) else json.dumps(source.start)
    return options | ({"maxOffsetsPerTrigger": str(source.max_records)} if source.max_records else {})


def values(frame: DataFrame, form: ends.ValueFormat, schema: StructType) -> DataFrame:
    """A Kafka frame's values as rows of `schema`: text (one column), json, csv, or single-record avro by the schema's own Avro form. What cannot be
    read is null: a lab's reading; a stream's is strict."""
    text = F.col("value").cast("string")
    if form == "text":
        return frame.select(text.alias("value"))
    if form == "avro":
        return frame.select(from_avro(F.col("value"), avro.schema_json(schema), {"mode": "PERMISSIVE"}).alias("_record")).select("_record.*")
    parsed = F.from_json(text, schema) if form == "json" else F.from_csv(text, schema.simpleString(), {"escape": '"'})
    return frame.select(parsed.alias("_record")).select("_record.*")
