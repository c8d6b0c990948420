"""Turns `new-stream`'s options about a source's spelling and columns into checked fields of the registry's
row, and makes sample values in that spelling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from include.scaffold.columns import Column
from jobs.contract.errors import BrokenStream, UsageError
from jobs.contract.stream import Files, Topic, value_formats


@dataclass(frozen=True)
class Reading:
    """What was typed: each attribute is the field of Files with that name. Empty text, or the default of
    Files, means not given."""

    columns: str = "by-name"
    missing_columns: str = "refuse"
    extra_columns: str = "refuse"
    multiline: bool = False
    decimal: str = "."
    date_format: str = ""
    timestamp_format: str = ""
    timezone: str = "UTC"

    @property
    def said(self) -> dict[str, Any]:
        """The fields that differ from the default."""
        return {name: value for name, value in vars(self).items() if value != getattr(Files, name)}


# field -> a valid use of its option
WAYS = {
    "columns": "--columns-by in-order",
    "missing_columns": "--missing-columns null",
    "extra_columns": "--extra-columns ignore",
    "multiline": "--multiline",
    "decimal": "--decimal ','",
    "date_format": "--date-format dd/MM/yyyy",
    "timestamp_format": "--timestamp-format 'dd/MM/yyyy HH:mm:ss'",
    "timezone": "--timezone Europe/Madrid",
}


def apply(said: dict[str, Any], source: Files | Topic) -> Files | Topic:
    """`source` with the given fields. Raises UsageError with the option that it cannot have."""
    for name, value in said.items():
        option, _, _ = WAYS[name].partition(" ")
        if not hasattr(source, name):
            raise UsageError(f"{option} is for files, not for a topic", option, cli="leave it out")
        try:
            source = type(source)(**{**vars(source), name: value})
        except BrokenStream as error:
            # a switch has no other value to suggest: it needs another source
            way = WAYS[name] if WAYS[name] != option else "--from files:csv"
            raise UsageError(error.what, option, cli=f"leave it out, or {way}") from None
    return source


def require_none(said: dict[str, Any], separator: str, header: bool, end: str) -> None:
    """Raises UsageError for an option that does not apply to `end`, which is given in words."""
    options = [WAYS[name].partition(" ")[0] for name in said]
    options += ["--separator"] * (separator != Files.separator) + ["--no-header"] * (header != Files.header)
    if options:
        raise UsageError(f"{options[0]} is not for {end}", options[0], cli="leave it out")


def text(column: Column, row: int, source: Files | Topic) -> str:
    """The sample value of `row` as a field of `source`'s csv, or as text in its JSON."""
    pattern = {"DateType": source.date_format, "TimestampType": source.timestamp_format}.get(column.kind, "")
    if pattern:
        return spelled(pattern, datetime.fromisoformat(column.value(row)), source.timezone)
    plain = column.text(row)
    return plain.replace(".", source.decimal) if column.kind in ("DoubleType", "DecimalType") else plain


def read(column: Column, row: int) -> str:
    """The sample value of `row` as Spark casts it to text, in UTC."""
    plain = column.text(row)
    return plain.replace("T", " ").removesuffix("Z") if column.kind == "TimestampType" else plain


def value(column: Column, row: int, source: Files | Topic) -> Any:
    """The sample value of `row` as it stands in `source`'s JSON."""
    return text(column, row, source) if column.kind in ("DateType", "TimestampType") else column.value(row)


def spelled(pattern: str, at: datetime, zone: str) -> str:
    """A day, or a time (with its zone) as it is in `zone`, formatted by one of the patterns that a row may
    have."""
    local = at.astimezone(ZoneInfo(zone)) if at.tzinfo else at
    return "".join(_part(match[0], match[1], local) for match in value_formats.PART.finditer(pattern))


def _part(found: str, letter: str | None, at: datetime) -> str:
    if letter is None:
        return found[1:-1].replace("''", "'") or "'" if found.startswith("'") else found
    return _LETTERS[letter](at, len(found))


def _offset(at: datetime, width: int) -> str:
    offset = at.strftime("%z") or "+0000"
    if offset == "+0000":
        return "Z"
    if width == 3:
        return f"{offset[:3]}:{offset[3:]}"
    return offset[:3] if width == 1 and offset[3:] == "00" else offset


_LETTERS: dict[str, Callable[[datetime, int], str]] = {
    "y": lambda at, width: f"{at.year:04d}"[-width:],
    "M": lambda at, width: f"{at.month:0{width}d}",
    "d": lambda at, width: f"{at.day:0{width}d}",
    "H": lambda at, width: f"{at.hour:0{width}d}",
    "h": lambda at, width: f"{(at.hour - 1) % 12 + 1:0{width}d}",
    "m": lambda at, width: f"{at.minute:0{width}d}",
    "s": lambda at, width: f"{at.second:0{width}d}",
    "S": lambda at, width: f"{at.microsecond:06d}"[:width],
    "a": lambda at, _: "AM" if at.hour < 12 else "PM",
    "X": _offset,
}
