"""Strict reading: one pass over a record's bytes, in `jvm/`, checks them and makes the row of what it has
checked.

Its verdict is a number: negative for a refused record (see CODES), 1 if there were fields that the schema
does not know, else 0.
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

# Code of verdict -1, -2, …; jvm/src/caudal/Fault.java has the same order.
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
# Types that the readers in jvm/ know. Others, as intervals, have no exact form in JSON or csv.
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
_CATALOG = "caudal"  # SQL catalog in which Functions.java offers the readers


def read_json(
    frame: DataFrame, schema: StructType, most_bytes: int, blank: str, source: Files | Topic
) -> Column:
    """Reads the binary column _raw: a struct of verdict (long) and record (a struct of `schema`; null if
    refused).

    `most_bytes`: longer records are refused. `blank`: the code for a record of white space. `source` says how
    dates and times are written.
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
    """As `read_json`, of _raw and _layout, the number of the header layout of its file."""
    given = (schema.json(), most_bytes, _java_name(blank))
    return _call(frame, "StrictCsv", given, source, (separator(source), layouts), "_raw", "_layout")


def why_not_json(frame: DataFrame, schema: StructType, source: Files | Topic) -> Column:
    """Which fields of a record are wrong or unknown. Reads the record again, which only the few refused ones
    need."""
    return _udf(frame, "WhyNotJson", StringType(), (schema.json(),), source, (), "_raw")


def why_not_csv(
    frame: DataFrame, schema: StructType, source: Files | Topic, layouts: HeaderLayouts
) -> Column:
    """Why a record was refused: the column, the value, the type, and the option of the row that would read
    it. Reads the record again."""
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
    """Splits the binary column `text`, a whole csv file, into an array of its unchanged records."""
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
    """Registers `made`, an object of jvm/, as a SQL function. Returns its SQL name. `name` must depend on
    everything that the object was made of, because objects of one name are taken to be equal."""
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
    """An object of the class caudal.`kind`. Arguments: `given`, then the source's form, then `more`."""
    forms = [getattr(session._jvm, "caudal.Form")(*_form(source))] if source else []
    return getattr(session._jvm, f"caudal.{kind}")(
        *given, *forms, *(_layouts(session, x) if isinstance(x, HeaderLayouts) else x for x in more)
    )


def _form(source: Files | Topic) -> tuple[str, str, str, str]:
    return source.timezone, source.decimal, source.date_format, source.timestamp_format


def _layouts(session: Any, given: HeaderLayouts) -> Any:
    made = getattr(session._jvm, "caudal.HeaderLayouts")()
    for layout in given.kinds:
        if layout.problem:
            made.addRefused(layout.problem)
        else:
            places = ",".join(map(str, layout.places))
            made.add(layout.header, "\n".join(layout.names), places, layout.fields)
    return made


def _java_name(code: str) -> str:
    return code.replace("-", "_").upper()


def unreadable(schema: StructType, form: str) -> str | None:
    """The first column whose type cannot be read strictly from `form` (json or csv); None when all can."""
    fits = _is_readable if form == "json" else _is_text
    return next((field.name for field in schema.fields if not fits(field.dataType)), None)


def _is_text(kind: DataType) -> bool:
    """Whether it is a scalar type that a csv field can express."""
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
    """Whether an accepted record has fields that the schema does not know."""
    return F.col("_verdict") > 0
