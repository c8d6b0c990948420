"""Parses columns as they are typed on the command line (`id:string,price:decimal(10,2)`), and makes three
sample values of each type."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from jobs.contract.errors import UsageError
from jobs.contract.nearest import hint

SAMPLES = 3  # rows that the generated test shows
_ONE = re.compile(
    r"\s*([A-Za-z][A-Za-z0-9_]*)\s*:\s*([A-Za-z]+)\s*(?:\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\))?\s*(?:,|$)"
)
_CLASSES = {
    "string": "StringType",
    "bigint": "LongType",
    "long": "LongType",
    "int": "IntegerType",
    "integer": "IntegerType",
    "double": "DoubleType",
    "boolean": "BooleanType",
    "date": "DateType",
    "timestamp": "TimestampType",
    "decimal": "DecimalType",
}
_MOST_DIGITS = 38  # Spark's limit for a decimal
_VALUES: dict[
    str, tuple[tuple[str, Any], ...]
] = {  # class -> (Python source, the value in a JSON document) of three rows
    "StringType": (('"uno"', "uno"), ('"dos"', "dos"), ('"tres"', "tres")),
    "LongType": (("1", 1), ("2", 2), ("3", 3)),
    "IntegerType": (("1", 1), ("2", 2), ("3", 3)),
    "DoubleType": (("1.5", 1.5), ("2.5", 2.5), ("3.5", 3.5)),
    "BooleanType": (("True", True), ("False", False), ("True", True)),
    "DateType": tuple((f"date(2026, 1, {day})", f"2026-01-{day}") for day in (10, 20, 30)),
    "TimestampType": tuple(
        (f"datetime(2026, 1, {day}, 12, 30)", f"2026-01-{day}T12:30:00Z") for day in (10, 20, 30)
    ),
}


@dataclass(frozen=True)
class Column:
    """`kind`: the class in pyspark.sql.types. `digits`: (precision, scale) of a decimal, otherwise ()."""

    name: str
    kind: str
    digits: tuple[int, ...] = ()

    @property
    def spark(self) -> str:
        """The type as Python source: `DecimalType(10, 2)`."""
        return f"{self.kind}({', '.join(map(str, self.digits))})"

    @property
    def shown(self) -> str:
        word = next(word for word, kind in _CLASSES.items() if kind == self.kind)
        return word + (f"({self.digits[0]},{self.digits[1]})" if self.digits else "")

    def source(self, row: int) -> str:
        """The sample value of `row` (0 to 2) as Python source."""
        return f'Decimal("{self._decimal(row)}")' if self.digits else _VALUES[self.kind][row][0]

    def value(self, row: int) -> Any:
        """The same value as it stands in a JSON document (a decimal is a number there)."""
        return float(self._decimal(row)) if self.digits else _VALUES[self.kind][row][1]

    def text(self, row: int) -> str:
        """The same value as a CSV field."""
        value = self._decimal(row) if self.digits else self.value(row)
        return value if isinstance(value, str) else json.dumps(value)

    def _decimal(self, row: int) -> str:
        """1, 2 or 3 in the last place, which fits every precision."""
        scale = self.digits[1]
        digits = str(row + 1).rjust(scale + 1, "0")
        return f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits


def parse(text: str) -> tuple[Column, ...]:
    """`name:type,…` -> columns. Raises UsageError with the place that cannot be read."""
    found: list[Column] = []
    end = 0
    while end < len(text.rstrip(" ,")):
        match = _ONE.match(text, end)
        if not match:
            raise _error(
                f"cannot be read from {text[end:][:40]!r} on: NAME:TYPE, names of a-z, A-Z, digits and _"
            )
        found.append(_column(match))
        end = match.end()
    names = [column.name.lower() for column in found]
    if not found:
        raise _error("at least one column is needed")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise _error(f"{twice[0]} is there twice (Spark ignores case in names)")
    return tuple(found)


def _column(match: re.Match[str]) -> Column:
    name, word = match[1], match[2].lower()
    if word not in _CLASSES:
        raise _error(
            f"{name} has the unknown type {word!r}: {', '.join(_CLASSES)}(10,2){hint(word, _CLASSES)}"
        )
    if (word == "decimal") != (match[3] is not None):
        raise _error(f"{name}: a decimal is written decimal(10,2), other types without brackets")
    if word != "decimal":
        return Column(name, _CLASSES[word])
    precision, scale = int(match[3]), int(match[4])
    if not 1 <= precision <= _MOST_DIGITS or scale > precision:
        raise _error(
            f"{name}: decimal({precision},{scale}): 1 to {_MOST_DIGITS} digits, and no more after the point"
        )
    return Column(name, "DecimalType", (precision, scale))


def _error(what: str) -> UsageError:
    return UsageError(what, "--columns", cli='--columns "id:string,amount:double"')
