"""Spark's own sources, as a lab declares them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import from_avro
from pyspark.sql.types import StructType

from jobs.contract.errors import BrokenStream, DataError
from jobs.core.formats import avro
from jobs.core.read.sources import FETCH_WAIT_MS
from jobs.labs.declared import ends


def open_end(
    spark: SparkSession,
    source: ends.Source,
    *,
    folder: Path,
    kafka: Mapping[str, str],
    schema: StructType | None = None,
) -> DataFrame:
    """A streaming frame of one of Spark's own sources. `folder`: the lab's; `kafka`: connection options.

    Columns: files have those of `schema`, or inferred ones; kafka has key, value, topic, partition, offset,
    timestamp…; socket has value; rate has timestamp and value.
    """
    match source:
        case ends.Folder():
            return _folder(spark, source, folder / source.path, schema)
        case ends.Subscription():
            reader = spark.readStream.format("kafka").options(**kafka, **_subscribed(source))
            return reader.option("kafka.fetch.max.wait.ms", FETCH_WAIT_MS).load()
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
    reader = (
        spark.readStream.format(source.format)
        .options(**dict(source.options))
        .option("latestFirst", str(source.latest_first).lower())
    )
    if schema is not None:
        reader = reader.schema(schema)
    for option, limit in (("maxFilesPerTrigger", source.max_files), ("maxBytesPerTrigger", source.max_bytes)):
        reader = reader.option(option, str(limit)) if limit else reader
    return reader.load(str(path))


def inferred(spark: SparkSession, source: ends.Folder, path: Path) -> StructType:
    """The schema of the files that are in `path` now, with a printed warning of what that means. Raises
    DataError when there is no file."""
    if not any(file.is_file() and not file.name.startswith((".", "_")) for file in path.iterdir()):
        raise DataError(
            "no hay ningún fichero del que inferir el esquema",
            path,
            cli="pon antes un fichero, o da el esquema",
        )
    schema = spark.read.format(source.format).options(**dict(source.options)).load(str(path)).schema
    what = f"esquema inferido de lo que hay ahora en {path.name} ({', '.join(schema.names)})"
    print(f"aviso: {what}; un fichero posterior de otra forma da nulos", flush=True)
    return schema


def _subscribed(source: ends.Subscription) -> dict[str, str]:
    options = (
        {"subscribePattern": source.pattern} if source.pattern else {"subscribe": ",".join(source.topics)}
    )
    if isinstance(source.start, int):
        options |= {"startingTimestamp": str(source.start), "startingOffsetsByTimestampStrategy": "latest"}
    else:
        options["startingOffsets"] = (
            source.start if isinstance(source.start, str) else json.dumps(source.start)
        )
    return options | ({"maxOffsetsPerTrigger": str(source.max_records)} if source.max_records else {})


def values(frame: DataFrame, form: ends.ValueFormat, schema: StructType) -> DataFrame:
    """The values of a Kafka frame as rows of `schema`: text (one column), json, csv, or single-record avro in
    the schema's own Avro form.

    A value that cannot be read becomes null. So reads a lab; a stream reads strictly.
    """
    text = F.col("value").cast("string")
    if form == "text":
        return frame.select(text.alias("value"))
    if form == "avro":
        return frame.select(
            from_avro(F.col("value"), avro.schema_json(schema), {"mode": "PERMISSIVE"}).alias("_record")
        ).select("_record.*")
    parsed = (
        F.from_json(text, schema)
        if form == "json"
        else F.from_csv(text, schema.simpleString(), {"escape": '"'})
    )
    return frame.select(parsed.alias("_record")).select("_record.*")
