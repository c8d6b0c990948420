"""Strict reading: one walk over a record's bytes (`jvm/`) checks them and makes the row of what it checked.

Its verdict is a number: negative for a record that is refused (see CODES), 1 where there were fields that the
schema does not know, else 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BinaryType, DataType, MapType, StringType, StructType

from jobs.contract.stream import Files, Topic
from jobs.core.read.csv_headers import HeaderLayouts

# by the verdict's number (jvm/src/caudal/Fault.java, same order)
CODES = (
    "malformed",
    "not-an-object",
    "more-than-one-document",
    "duplicate-key",
    "wrong-case-key",
    "wrong-type",
    "null-element",
    "half-character",
    "missing-field",
    "beyond-limits",
    "null-value",
    "empty-value",
    "blank",
    "too-long",
    "header",
    "wrong-header",
)
_SCALARS = (
    "string",
    "boolean",
    "tinyint",
    "smallint",
    "int",
    "bigint",
    "float",
    "double",
    "decimal",
    "date",
    "timestamp",
    "timestamp_ntz",
    "binary",
)
_CATALOG = "caudal"  # of SQL functions


def read_json(
    frame: DataFrame, schema: StructType, most_bytes: int, blank: str, source: Files | Topic
) -> Column:
    """Of the binary column _raw a struct (verdict: long, record: struct of `schema`, null where it is
    refused).

    `blank`: the code for nothing but blanks. `source` says how dates and times are spelled.
    """
    given = (schema.json(), most_bytes, _java_name(blank))
    return _call(frame, "StrictJson", given, source, (), "_raw")


def read_csv(
    frame: DataFrame,
    schema: StructType,
    most_bytes: int,
    blank: str,
    source: Files | Topic,
    layouts: HeaderLayouts,
) -> Column:
    """As `read_json`, of _raw and _layout: the number of its file's layout."""
    given = (schema.json(), most_bytes, _java_name(blank))
    return _call(frame, "StrictCsv", given, source, (separator(source), layouts), "_raw", "_layout")


def why_not_json(frame: DataFrame, schema: StructType, source: Files | Topic) -> Column:
    """Of a record that was refused or has unknown fields: which field, or fields. Walks the record anew: for
    the few that need it."""
    return _udf(frame, "WhyNotJson", StringType(), (schema.json(),), source, (), "_raw")


def why_not_csv(
    frame: DataFrame, schema: StructType, source: Files | Topic, layouts: HeaderLayouts
) -> Column:
    """Of a record that was refused: the column, the value, the type, and the option of the row that would
    read it. Walks the record anew."""
    return _udf(
        frame,
        "WhyNotCsv",
        StringType(),
        (schema.json(),),
        source,
        (separator(source), layouts),
        "_raw",
        "_layout",
    )


def split_csv(frame: DataFrame, source: Files, text: str) -> Column:
    """Of the binary column `text`, a whole csv file, an array of its records as they came."""
    return _udf(frame, "SplitCsv", ArrayType(BinaryType()), (source.separator,), None, (), text)


def separator(source: Files | Topic) -> str:
    return source.separator if isinstance(source, Files) else ","


def _call(
    frame: DataFrame,
    kind: str,
    given: Sequence[Any],
    source: Files | Topic,
    more: Sequence[Any],
    *columns: str,
) -> Column:
    session: Any = frame.sparkSession
    name = f"{kind.lower()}_{_hash((given, _form(source), more))}"
    return F.call_function(function(session, name, _made(session, kind, given, source, more)), *columns)


def function(session: Any, name: str, made: Any) -> str:
    """The SQL name of a function of jvm/. `name` says what it is made of: one of the same name is the
    same."""
    getattr(session._jvm, "caudal.Functions").put(name, made)
    session.conf.set(f"spark.sql.catalog.{_CATALOG}", "caudal.Functions")
    return f"{_CATALOG}.{name}"


def _udf(
    frame: DataFrame,
    kind: str,
    gives: DataType,
    given: Sequence[Any],
    source: Files | Topic | None,
    more: Sequence[Any],
    *columns: str,
) -> Column:
    session: Any = frame.sparkSession
    name = f"caudal_{kind.lower()}_{_hash((given, source and _form(source), more))}"
    java_type = getattr(session._jvm, "org.apache.spark.sql.types.DataType").fromJson(gives.json())
    session._jsparkSession.udf().register(name, _made(session, kind, given, source, more), java_type)
    return F.call_function(name, *columns)


def _made(
    session: Any, kind: str, given: Sequence[Any], source: Files | Topic | None, more: Sequence[Any]
) -> Any:
    """An object of a class of `jvm/`: `given`, then the source's form, then `more`."""
    forms = [getattr(session._jvm, "caudal.Form")(*_form(source))] if source else []
    return getattr(session._jvm, f"caudal.{kind}")(
        *given, *forms, *(_layouts(session, x) if isinstance(x, HeaderLayouts) else x for x in more)
    )


def _form(source: Files | Topic) -> tuple[str, str, str, str]:
    return source.timezone, source.decimal, source.date_format, source.timestamp_format


def _layouts(session: Any, given: HeaderLayouts) -> Any:
    made = getattr(session._jvm, "caudal.HeaderLayouts")()
    for one in given.kinds:
        if one.problem:
            made.addRefused(one.problem)
        else:
            made.add(one.header, "\n".join(one.names), ",".join(map(str, one.places)), one.fields)
    return made


def _java_name(code: str) -> str:
    return code.replace("-", "_").upper()


def unreadable(schema: StructType, form: str) -> str | None:
    """The first column whose type has no strict reading from `form`, json or csv; None when all have."""
    fits = _is_readable if form == "json" else _is_text
    return next((field.name for field in schema.fields if not fits(field.dataType)), None)


def _is_text(kind: DataType) -> bool:
    """A scalar that a field of csv can spell."""
    return kind.simpleString().partition("(")[0] in _SCALARS and not isinstance(kind, BinaryType)


def _is_readable(kind: DataType) -> bool:
    if isinstance(kind, StructType):
        return unreadable(kind, "json") is None
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
