"""Checks the patterns and zones by which a source writes dates and times.

Patterns are those of Java's DateTimeFormatter, but only those for digits: names of months depend on the
machine's locale.
"""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# One part of a pattern: a quoted literal, a run of pattern letters, or other characters. In Java, letters
# must be quoted and # { } [ ] are special.
PART = re.compile(r"'(?:[^']|'')*'|([A-Za-z])\1*|[^A-Za-z'#{}\[\]]")
_YEARS, _MONTHS, _DAYS = {"yy", "yyyy"}, {"M", "MM"}, {"d", "dd"}
_DATES = _YEARS | _MONTHS | _DAYS
_TIMES = {
    "H",
    "HH",
    "h",
    "hh",
    "m",
    "mm",
    "s",
    "ss",
    "a",
    *("S" * n for n in range(1, 7)),
    *("X" * n for n in range(1, 4)),
}


def unfit_date(pattern: str) -> str:
    """Why `pattern` cannot read a date; empty when it can."""
    return _unfit(pattern, _DATES, "a year (yyyy), a month (MM) and a day (dd), each once")


def unfit_timestamp(pattern: str) -> str:
    """Why `pattern` cannot read a time; empty when it can. A pattern without an hour reads midnight."""
    if why := _unfit(pattern, _DATES | _TIMES, "a date (yyyy, MM, dd) and HH, mm, ss, SSS or XXX, each once"):
        return why
    letters = {part[0] for part in _letters(pattern)}
    if ("h" in letters) != ("a" in letters) or {"h", "H"} <= letters:
        return f"{pattern!r}: an hour is HH (0 to 23), or hh (1 to 12) together with a (AM or PM)"
    # hour, minute, second, fraction: each needs the one before it
    present = [bool(letters & {"H", "h"}), *(letter in letters for letter in "msS")]
    if present != sorted(present, reverse=True):
        return f"{pattern!r} has a part of a time without the larger part before it"
    return ""


def unfit_zone(name: str) -> str:
    """Why `name` is not a time zone; empty when it is one."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder of zones
        return f"{name!r} is not a time zone such as UTC or Europe/Madrid"
    return ""


def _unfit(pattern: str, known: set[str], asked: str) -> str:
    parts = _letters(pattern)
    fits = (
        len("".join(m[0] for m in PART.finditer(pattern))) == len(pattern)
        and {"y", "M", "d"} <= {part[0] for part in parts}
        and all(part in known for part in parts)
        and len({part[0] for part in parts}) == len(parts)
    )
    return "" if fits else f"{pattern!r} does not read {asked}"


def _letters(pattern: str) -> list[str]:
    """The runs of pattern letters, without literals."""
    return [match[0] for match in PART.finditer(pattern) if match[1]]
