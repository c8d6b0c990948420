"""Makes an Avro schema of a Spark schema, for single-record Avro on topics. Each nullable field is a union
with null, as in what Spark itself writes."""

from __future__ import annotations

import json
from typing import Any

from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    StringType,
    StructType,
    TimestampType,
)

from jobs.contract.errors import BrokenStream

_PLAIN: dict[type[DataType], Any] = {
    StringType: "string",
    LongType: "long",
    IntegerType: "int",
    DoubleType: "double",
    FloatType: "float",
    BooleanType: "boolean",
    BinaryType: "bytes",
    DateType: {"type": "int", "logicalType": "date"},
    TimestampType: {"type": "long", "logicalType": "timestamp-micros"},
}


def schema_json(schema: StructType, name: str = "topLevelRecord") -> str:
    """The Avro schema as JSON, for from_avro and to_avro. Raises BrokenStream for a type that has no Avro
    form here."""
    return json.dumps(_record(schema, name))


def _record(schema: StructType, name: str) -> dict[str, Any]:
    fields = [
        {"name": f.name, "type": _type(f.dataType, f"{name}.{f.name}", f.nullable)} for f in schema.fields
    ]
    namespace, _, short = name.rpartition(".")
    return {
        "type": "record",
        "name": short,
        **({"namespace": namespace} if namespace else {}),
        "fields": fields,
    }


def _type(kind: DataType, name: str, nullable: bool) -> Any:
    found = _bare(kind, name)
    return [found, "null"] if nullable else found


def _bare(kind: DataType, name: str) -> Any:
    if isinstance(kind, StructType):
        return _record(kind, name)
    if isinstance(kind, ArrayType):
        return {"type": "array", "items": _type(kind.elementType, name, kind.containsNull)}
    if isinstance(kind, DecimalType):
        return {"type": "bytes", "logicalType": "decimal", "precision": kind.precision, "scale": kind.scale}
    if type(kind) not in _PLAIN:
        raise BrokenStream(f"{kind.simpleString()} has no Avro form here", name)
    return _PLAIN[type(kind)]
