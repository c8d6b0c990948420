"""The csv that Caudal writes (jvm/src/caudal/CsvLine.java), and the options with which Spark reads the same
values back. docs/csv.md describes its form."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DecimalType, StringType, StructType

from jobs.contract.errors import BrokenStream
from jobs.core.read import strict

FORMAT = "caudal.CsvFiles"
_SCALARS = (
    "boolean",
    "tinyint",
    "smallint",
    "int",
    "bigint",
    "float",
    "double",
    "date",
    "timestamp",
    "timestamp_ntz",
)
_WAY = "turn it into text in the transform (to_json, hex, cast), or write json or parquet"


def require_writable(schema: StructType) -> None:
    """Raises BrokenStream for a column whose type has no csv form."""
    for field in schema.fields:
        if not _is_writable(field.dataType):
            what = f"column {field.name!r}: {field.dataType.simpleString()[:60]} has no csv form"
            raise BrokenStream(what, "csv sink", cli=_WAY)


def _is_writable(kind: DataType) -> bool:
    return isinstance(kind, StringType | DecimalType) or kind.simpleString() in _SCALARS


def value(rows: DataFrame, separator: str = ",") -> Column:
    """All columns of `rows` as one csv record without a line end. Raises BrokenStream."""
    require_writable(rows.schema)
    session: Any = rows.sparkSession
    name = f"csv_{hashlib.sha256(f'{separator}{rows.schema.json()}'.encode()).hexdigest()[:16]}"
    made = getattr(session._jvm, "caudal.CsvValue")(rows.schema.json(), separator)
    return F.call_function(
        strict.function(session, name, made), F.struct(*[F.col(f"`{column}`") for column in rows.columns])
    )


def read_options(separator: str, header: bool) -> dict[str, str]:
    """Options for spark.read and readStream. Values are read as they were written, with their line ends, and
    null stays different from an empty text.

    `nullValue` is random: without it Spark reads an empty text as null, and a fixed one would turn an equal
    value into null.
    """
    same = {"escape": '"', "charToEscapeQuoteEscaping": '"'}  # without the second, NUL beside a quote is lost
    sep = "\\\\" if separator == "\\" else separator  # for Spark a backslash begins an escape such as \t
    lines = {"header": str(header).lower(), "multiLine": "true", "lineSep": "\n"}
    return {"sep": sep, **lines, "nullValue": secrets.token_hex(16), **same}
