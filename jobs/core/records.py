"""Raw text -> typed record or a reason why not. Stateless; every raw record gets exactly one of the two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from jobs.contract.stream import Files, Topic

_CORRUPT = "_corrupt_record"
# Lines that are no records: counted, neither accepted nor quarantined.
BLANK, HEADER = "blank", "header"


@dataclass(frozen=True)
class Subject:
    """What is true of the data. `rules`: code -> SQL condition over the schema's columns that is true for a bad record."""

    schema: StructType
    rules: Mapping[str, str]


def classify(frame: DataFrame, subject: Subject, source: Files | Topic) -> DataFrame:
    """(_raw, _origin) -> (_raw, _origin, _record: struct, _reason: string or null). `_reason` null means accepted."""
    parsed = frame.withColumn("_record", _parse(subject.schema, source))
    # the rules' SQL names the schema's columns, so they stand beside the record for this one step
    return parsed.select("*", "_record.*").select("_raw", "_origin", "_record", _reason(subject, source).alias("_reason"))


def business(classified: DataFrame, subject: Subject) -> DataFrame:
    """Accepted records with the schema's columns at the top."""
    fields = [F.col(f"_record.`{name}`").alias(name) for name in subject.schema.names]
    return classified.where("_reason is null").select(*fields)


def _parse(schema: StructType, source: Files | Topic) -> Column:
    with_corrupt = StructType([*schema.fields, StructField(_CORRUPT, StringType())])
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": _CORRUPT}
    if source.format == "csv":
        # RFC 4180: a quote inside a field is doubled. Spark's own default is a backslash
        separator = source.separator if isinstance(source, Files) else ","
        return F.from_csv(_line(), with_corrupt.simpleString(), {**options, "sep": separator, "escape": '"'})
    return F.from_json("_raw", with_corrupt, {**options, "allowSingleQuotes": "false", "allowNonNumericNumbers": "false"})


def _line() -> Column:
    return F.expr(r"trim(TRAILING '\r' FROM _raw)")


def _reason(subject: Subject, source: Files | Topic) -> Column:
    files = isinstance(source, Files)
    reason = F.when(F.col("_raw").isNull(), "null-value")
    reason = reason.when(F.btrim(F.col("_raw"), F.lit(" \t\r\x0b\x0c")) == "", BLANK if files else "empty-value")
    if isinstance(source, Files) and source.format == "csv" and source.header:
        reason = reason.when(F.lower(_line()) == source.separator.join(subject.schema.names).lower(), HEADER)
    reason = reason.when(F.col("_record").isNull() | F.col(f"_record.{_CORRUPT}").isNotNull(), "malformed")
    for code, condition in subject.rules.items():
        reason = reason.when(F.expr(condition), code)
    return reason
