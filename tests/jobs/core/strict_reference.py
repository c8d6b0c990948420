"""What strict reading must answer, said a second time: Python's own json, the schema's types checked by hand.
Slow, and shares no code."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, NoReturn

from pyspark.sql.types import ArrayType, DataType, DoubleType, LongType, StringType, StructType

DEEPEST, LONGEST_NUMBER, LONGEST_NAME = 64, 1_000, 10_000


class Refused(Exception):
    """This record is no row."""


@dataclass(frozen=True)
class Number:
    text: str
    whole: bool


def row(record: bytes, schema: StructType) -> dict[str, Any]:
    """The record's row, all columns in it. Raises Refused."""
    try:
        document = _DECODER.decode(record.decode("utf-8").lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise Refused(str(error)) from error
    if not isinstance(document, dict):
        raise Refused("no object")
    _require_limits(document, 1)
    return _struct(document, schema)


def _number(whole: bool) -> Any:
    return lambda text: Number(text, whole)


def _constant(name: str) -> NoReturn:
    raise Refused(name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise Refused("a key given twice")
    return dict(pairs)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_number(True), parse_float=_number(False), parse_constant=_constant
)


def _require_limits(value: Any, depth: int) -> None:
    if isinstance(value, dict | list) and depth > DEEPEST:
        raise Refused("too deep")
    if isinstance(value, Number) and len(value.text) > LONGEST_NUMBER:
        raise Refused("a long number")
    if isinstance(value, dict) and any(len(name) > LONGEST_NAME or _has_half(name) for name in value):
        raise Refused("a long name, or half a character in it")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _require_limits(inner, depth + 1)


def _struct(value: Any, schema: StructType) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused("no object")
    folded = {name.lower() for name in schema.names}
    if any(name not in schema.names and name.lower() in folded for name in value):
        raise Refused("another case")
    return {field.name: _value(value.get(field.name), field.dataType) for field in schema.fields}


def _value(value: Any, kind: DataType) -> Any:
    if value is None:
        return None
    if isinstance(kind, StructType):
        return _struct(value, kind)
    if isinstance(kind, ArrayType):
        return _list(value, kind)
    readers: Any = {StringType: _string, DoubleType: _double, LongType: _long}
    return readers[type(kind)](value)


def _list(value: Any, kind: ArrayType) -> list[Any]:
    if not isinstance(value, list) or (None in value and not kind.containsNull):
        raise Refused("no list, or null in it")
    return [_value(one, kind.elementType) for one in value]


def _string(value: Any) -> str:
    if not isinstance(value, str) or _has_half(value):
        raise Refused("no string, or half a character")
    return value


def _double(value: Any) -> float:
    if not isinstance(value, Number) or not math.isfinite(float(value.text)):
        raise Refused("no number, or infinite")
    return float(value.text)


def _long(value: Any) -> int:
    if not isinstance(value, Number) or not value.whole or not -(2**63) <= int(value.text) < 2**63:
        raise Refused("no whole number of 64 bits")
    return int(value.text)


def _has_half(text: str) -> bool:
    return any("\ud800" <= one <= "\udfff" for one in text)
