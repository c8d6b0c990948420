"""Encodes business rows and writes them into the staging folder, or sends them. It never publishes."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import to_avro
from pyspark.sql.types import DataType, StructField, TimestampNTZType, TimestampType

from jobs.contract.commit.manifest import OutputFile
from jobs.contract.disk import storage
from jobs.contract.run import part_files
from jobs.contract.stream import Files, Topic, ValueFormat
from jobs.core.formats import avro, csv_form
from jobs.domain.positions import POSITION

_ZONES: dict[DataType, str] = {
    TimestampType(): "XXX",
    TimestampNTZType(): "",
}  # how a time's text ends in JSON


def write_files(rows: DataFrame, sink: Files, folder: Path) -> None:
    """Writes rows as part files into `folder`, which must not exist: Spark creates it. Raises BrokenStream
    for a type that csv does not have."""
    rows = with_micros(rows) if sink.format == "json" else rows
    writer = rows.write.mode("errorifexists").format(sink.format)
    if sink.format == "csv":
        csv_form.require_writable(rows.schema)
        writer = (
            writer.format(csv_form.FORMAT)
            .option("sep", sink.separator)
            .option("header", str(sink.header).lower())
        )
    writer.save(str(folder))


def send(rows: DataFrame, sink: Topic, options: dict[str, str]) -> None:
    """Rows -> one message each. At least once: a repeated attempt sends again."""
    rows.select(*message(rows, sink)).write.mode("append").format("kafka").options(**options).option(
        "topic", sink.name
    ).save()


def message(rows: DataFrame, sink: Topic) -> list[Column]:
    """Columns key and value, as text; the position is no part of a message."""
    return [F.col(f"`{sink.key}`").cast("string").alias("key"), _value(rows, sink).alias("value")]


def _value(rows: DataFrame, sink: Topic) -> Column:
    return packed(rows.drop(sink.key, POSITION), sink.format)


def packed(rows: DataFrame, form: ValueFormat) -> Column:
    """All columns as the value of one message; as text, the first column alone. Raises BrokenStream for a
    type that has no csv or Avro form."""
    fields = F.struct(
        *(_json_columns(rows) if form == "json" else [F.col(f"`{name}`") for name in rows.columns])
    )
    match form:
        case "csv":
            return csv_form.value(rows)
        case "avro":
            return to_avro(fields, avro.schema_json(rows.schema))
        case "text":
            return F.col(f"`{rows.columns[0]}`").cast("string")
        case _:
            return F.to_json(fields)


def with_micros(rows: DataFrame) -> DataFrame:
    """Writes columns of times as text in the form of Spark's JSON, but with microseconds where there are any:
    Spark drops them silently."""
    return (
        rows.select(*_json_columns(rows))
        if any(field.dataType in _ZONES for field in rows.schema.fields)
        else rows
    )


def _json_columns(rows: DataFrame) -> list[Column]:
    return [_json_column(field) for field in rows.schema.fields]


def _json_column(field: StructField) -> Column:
    column = F.col(f"`{field.name}`")
    if field.dataType not in _ZONES:
        return column
    coarse, fine = (f"yyyy-MM-dd'T'HH:mm:ss.{'S' * digits}{_ZONES[field.dataType]}" for digits in (3, 6))
    has_micros = F.unix_micros(column.cast("timestamp")) % 1000 != 0
    return (
        F.when(has_micros, F.date_format(column, fine))
        .otherwise(F.date_format(column, coarse))
        .alias(field.name)
    )


def seal(folder: Path, sink_format: str, header: bool) -> tuple[OutputFile, ...]:
    """Makes staged files durable, and measures them independently of Spark: size, sha256 and records of each.
    Hadoop's .crc files are removed."""
    # The manifest has a better checksum of each file, and a .crc would be one more file to sync for each.
    for crc in folder.glob(".*.crc"):
        crc.unlink()
    return tuple(_sealed(file, sink_format, header) for file in part_files.data_files(folder))


def _sealed(file: Path, sink_format: str, header: bool) -> OutputFile:
    seen = part_files.measure(file, sink_format, header, parquet_rows)
    storage.fsync_file(file)
    return OutputFile(file.name, seen.size_bytes, seen.sha256, seen.rows)


def parquet_rows(file: Path) -> int:
    """The number of rows according to the footer."""
    from pyarrow import parquet  # 0.3 s to import: only where the row asks for parquet

    return int(parquet.read_metadata(file).num_rows)
