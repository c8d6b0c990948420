"""What a field of csv is, read by plain Python: regular expressions, decimal and datetime. REFUSED where it
is not one."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

REFUSED = object()


def whole(bits: int) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else None
        return value if value is not None and -(1 << (bits - 1)) <= value < 1 << (bits - 1) else REFUSED

    return read


def decimal(precision: int, scale: int, mark: str = ".") -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if (
            not re.fullmatch(rf"[+-]?([0-9]+({re.escape(mark)}[0-9]+)?|{re.escape(mark)}[0-9]+)", text)
            or len(text) > 1000
        ):
            return REFUSED
        value = Decimal(text.replace(mark, "."))
        with localcontext() as exact:
            exact.prec = 1100  # the default of 28 digits would round a longer number into one that fits
            digits = value * 10**scale
        return value if digits == digits.to_integral_value() and abs(digits) < 10**precision else REFUSED

    return read


def double(text: str) -> Any:
    if not re.fullmatch(r"[+-]?([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]+)?", text) or len(text) > 1000:
        return REFUSED
    value = float(text)
    return (
        REFUSED
        if math.isinf(value) or (value == 0 and re.search("[1-9]", re.split("[eE]", text)[0]))
        else value
    )


def single(text: str) -> Any:
    value = double(text)
    try:
        narrow = value if value is REFUSED else struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return REFUSED
    return REFUSED if narrow == 0 and value != 0 else narrow


def boolean(text: str) -> Any:
    return {"true": True, "false": False}.get(text.lower(), REFUSED) if text.isascii() else REFUSED


def day(text: str) -> Any:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return REFUSED
    try:
        return date.fromisoformat(text)
    except ValueError:
        return REFUSED


_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}):([0-9]{2})"
    r"(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)


def time(text: str, zoned: bool = True) -> Any:
    """`zoned`: of a column of instants, in UTC where the text has no zone; else of local times, without
    one."""
    match = _TIME.fullmatch(text)
    if not match or (match[6] and not zoned):
        return REFUSED
    nanos = (match[5] or "").ljust(9, "0")
    start = day(match[1])
    hour, minute, second = int(match[2]), int(match[3]), int(match[4] or 0)
    offset = _offset(match[6] or "Z")
    if (
        nanos[6:] != "000"
        or start is REFUSED
        or max(hour - 23, minute - 59, second - 59) > 0
        or offset is None
    ):
        return REFUSED
    local = datetime(start.year, start.month, start.day, hour, minute, second, int(nanos[:6]), tzinfo=UTC)
    return (local - datetime(1970, 1, 1, tzinfo=UTC) - offset) // timedelta(microseconds=1)


def _offset(text: str) -> timedelta | None:
    digits = text[1:].replace(":", "").ljust(4, "0")
    minutes = 0 if text == "Z" else int(digits[:2]) * 60 + int(digits[2:])
    if (text != "Z" and int(digits[2:]) > 59) or minutes > 18 * 60:
        return None
    return timedelta(minutes=-minutes if text[0] == "-" else minutes)
