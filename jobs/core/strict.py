"""Strict JSON: the checker (`jvm/`, on Spark's own Jackson) judges the bytes, `from_json` makes the row, and the two must agree.

Its verdict is a number: negative for a record that is refused (see CODES), else what was seen: which columns hold a value, how long the
arrays are, whether there were fields that the schema does not know.
"""

from __future__ import annotations

import hashlib
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType, StructField, StructType

CORRUPT = "_corrupt_record"
# by the verdict's number: those of the checker (jvm/src/caudal/Fault.java, same order), then what needs no parsing
CODES = (
    "malformed", "not-an-object", "more-than-one-document", "duplicate-key", "wrong-case-key", "wrong-type", "null-element", "half-character",
    "missing-field", "beyond-limits", "null-value", "empty-value", "blank", "too-long",
)  # fmt: skip
_MASKED, _UNKNOWN = 40, 1 << 61


def refusal(code: str) -> Column:
    """The verdict that says `code`."""
    return F.lit(-1 - CODES.index(code)).cast("long")


def checker(frame: DataFrame, schema: StructType) -> Column:
    """What the checker says of the binary column _raw."""
    return _call(frame, "StrictJson", schema, "LongType")


def detail(frame: DataFrame, schema: StructType) -> Column:
    """Of a record that was refused or has unknown fields: which field, or fields. Walks the record anew: for the few that need it."""
    return _call(frame, "WhyNotJson", schema, "StringType")


def _call(frame: DataFrame, kind: str, schema: StructType, result: str) -> Column:
    session: Any = frame.sparkSession
    json = schema.json()
    name = f"caudal_{kind.lower()}_{hashlib.sha256(json.encode()).hexdigest()[:16]}"
    made = getattr(session._jvm.caudal, kind)(json)
    session._jsparkSession.udf().register(name, made, getattr(session._jvm.org.apache.spark.sql.types.DataTypes, result))
    return F.call_function(name, "_raw")


def parse(schema: StructType) -> Column:
    """_raw as a struct; null where the verdict has refused it."""
    with_corrupt = StructType([*schema.fields, StructField(CORRUPT, StringType())])
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": CORRUPT, "allowSingleQuotes": "false", "allowNonNumericNumbers": "false"}
    return F.from_json(F.when(~is_refused(), F.col("_raw").cast("string")), with_corrupt, options)


def is_refused() -> Column:
    return F.col("_verdict") < 0


def code() -> Column:
    """The reason code of a refusal."""
    return F.element_at(F.array(*map(F.lit, CODES)), (-F.col("_verdict")).cast("int"))


def has_unknown() -> Column:
    """Of a record that is not refused."""
    return F.col("_verdict") >= _UNKNOWN


def disagree(schema: StructType) -> Column:
    """True where `from_json` made something else of a record than the checker saw."""
    record = F.col("_record")
    bits = [F.when(record[name].isNotNull(), F.lit(1 << i)).otherwise(F.lit(0)) for i, name in enumerate(schema.names[:_MASKED])]
    arrays = [f.name for f in schema.fields if isinstance(f.dataType, ArrayType)]
    lengths = [F.when(record[name].isNotNull(), F.size(record[name]) * F.lit(n)).otherwise(F.lit(0)) for n, name in enumerate(arrays, 1)]
    seen = _sum(bits) + F.shiftleft(_sum(lengths).bitwiseAND(F.lit((1 << 20) - 1)), _MASKED)
    return record.isNull() | record[CORRUPT].isNotNull() | (seen != F.col("_verdict").bitwiseAND(F.lit(_UNKNOWN - 1)))


def _sum(parts: list[Column]) -> Column:
    return reduce(lambda a, b: a + b, parts, F.lit(0).cast("long"))
