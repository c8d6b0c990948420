"""Strict JSON: the checker (`jvm/`, on Spark's own Jackson) judges the bytes, `from_json` makes the row, and the two must agree.

The verdict is `!code place` for a record that is refused, else `mask:n,m` (columns that hold a value, lengths of the array columns), with
` ?a,b` behind it when there were fields the schema does not know.
"""

from __future__ import annotations

import hashlib
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType, StructField, StructType

CORRUPT = "_corrupt_record"
_REFUSED, _UNKNOWN = "!", " ?"
_MASKED = 63  # columns that fit the mask; the others are compared by the corrupt column alone


def verdict(frame: DataFrame, schema: StructType, may: Column) -> Column:
    """The checker's answer on the binary column _raw; null where `may` is false, so that nothing too long is walked."""
    session: Any = frame.sparkSession
    json = schema.json()
    name = f"caudal_strict_json_{hashlib.sha256(json.encode()).hexdigest()[:16]}"
    checker = session._jvm.caudal.StrictJson(json)
    session._jsparkSession.udf().register(name, checker, session._jvm.org.apache.spark.sql.types.DataTypes.StringType)
    return F.when(may, F.call_function(name, "_raw"))


def parse(schema: StructType) -> Column:
    """_raw as a struct; null where the verdict has refused it."""
    with_corrupt = StructType([*schema.fields, StructField(CORRUPT, StringType())])
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": CORRUPT, "allowSingleQuotes": "false", "allowNonNumericNumbers": "false"}
    accepted = ~F.startswith("_verdict", F.lit(_REFUSED))
    return F.from_json(F.when(accepted, F.col("_raw").cast("string")), with_corrupt, options)


def is_refused() -> Column:
    return F.startswith("_verdict", F.lit(_REFUSED))


def code() -> Column:
    """The reason code of a refusal."""
    return F.substring_index(F.expr("substring(_verdict, 2)"), " ", 1)


def has_unknown() -> Column:
    return F.contains("_verdict", F.lit(_UNKNOWN))


def detail() -> Column:
    """Where in the record: the field's name, or the unknown fields."""
    return F.when(is_refused(), F.expr("substring(_verdict, locate(' ', _verdict) + 1)")).otherwise(F.substring_index("_verdict", _UNKNOWN, -1))


def disagree(schema: StructType) -> Column:
    """True where `from_json` made something else of a record than the checker saw."""
    record = F.col("_record")
    bits = [F.when(record[name].isNotNull(), F.lit(1 << i)).otherwise(F.lit(0)) for i, name in enumerate(schema.names[:_MASKED])]
    mask = reduce(lambda a, b: a + b, bits, F.lit(0)).cast("long")
    sizes = [F.when(record[f.name].isNull(), F.lit(0)).otherwise(F.size(record[f.name])) for f in schema.fields if isinstance(f.dataType, ArrayType)]
    seen = F.concat(mask.cast("string"), F.lit(":"), *(part for size in sizes for part in (size.cast("string"), F.lit(","))))
    return record.isNull() | record[CORRUPT].isNotNull() | (seen != F.substring_index("_verdict", _UNKNOWN, 1))
