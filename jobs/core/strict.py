"""Strict JSON: one walk over a record's bytes (`jvm/`, on Spark's own Jackson) checks them and makes the row of what it checked.

Its verdict is a number: negative for a record that is refused (see CODES), 1 where there were fields that the schema does not know, else 0.
"""

from __future__ import annotations

import hashlib
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StringType, StructType

# by the verdict's number (jvm/src/caudal/Fault.java, same order)
CODES = (
    "malformed", "not-an-object", "more-than-one-document", "duplicate-key", "wrong-case-key", "wrong-type", "null-element", "half-character",
    "missing-field", "beyond-limits", "null-value", "empty-value", "blank", "too-long",
)  # fmt: skip
_SCALARS = (
    "string", "boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "decimal", "date", "timestamp", "timestamp_ntz", "binary",
)  # fmt: skip
_CATALOG = "caudal"  # of SQL functions


def refusal(code: str) -> Column:
    """The verdict that says `code`."""
    return F.lit(-1 - CODES.index(code)).cast("long")


def read(frame: DataFrame, schema: StructType, most_bytes: int, blank: str) -> Column:
    """Of the binary column _raw a struct (verdict: long, record: struct of `schema`, null where it is refused).

    `blank`: the code for nothing but blanks. Dates and times are read as a cast would, in the session's time zone.
    """
    session: Any = frame.sparkSession
    given = (schema.json(), most_bytes, blank.replace("-", "_").upper(), session.conf.get("spark.sql.session.timeZone"))
    name = f"strict_{_hash(given)}"
    getattr(session._jvm, "caudal.Functions").put(name, getattr(session._jvm, "caudal.StrictJson")(*given))
    session.conf.set(f"spark.sql.catalog.{_CATALOG}", "caudal.Functions")
    return F.call_function(f"{_CATALOG}.{name}", "_raw")


def detail(frame: DataFrame, schema: StructType) -> Column:
    """Of a record that was refused or has unknown fields: which field, or fields. Walks the record anew: for the few that need it."""
    session: Any = frame.sparkSession
    name = f"caudal_why_{_hash(schema.json())}"
    made = getattr(session._jvm, "caudal.WhyNotJson")(schema.json())
    session._jsparkSession.udf().register(name, made, getattr(session._jvm, "org.apache.spark.sql.types.DataTypes").StringType)
    return F.call_function(name, "_raw")


def unreadable(schema: StructType) -> str | None:
    """The first column whose type has no strict reading; None when all have."""
    return next((field.name for field in schema.fields if not _is_readable(field.dataType)), None)


def _is_readable(kind: DataType) -> bool:
    if isinstance(kind, StructType):
        return unreadable(kind) is None
    if isinstance(kind, ArrayType):
        return _is_readable(kind.elementType)
    if isinstance(kind, MapType):
        return isinstance(kind.keyType, StringType) and _is_readable(kind.valueType)
    return kind.simpleString().partition("(")[0] in _SCALARS


def _hash(given: object) -> str:
    return hashlib.sha256(repr(given).encode()).hexdigest()[:16]


def is_refused() -> Column:
    return F.col("_verdict") < 0


def code() -> Column:
    """The reason code of a refusal."""
    return F.element_at(F.array(*map(F.lit, CODES)), (-F.col("_verdict")).cast("int"))


def has_unknown() -> Column:
    """Of a record that is not refused."""
    return F.col("_verdict") > 0
