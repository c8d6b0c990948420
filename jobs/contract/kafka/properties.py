"""Reads Java `.properties` files, as Kafka's clients do. Values may be secrets, so errors name only keys and
lines."""

from __future__ import annotations

import re
from pathlib import Path

from jobs.contract.errors import ConfigError

_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_PAIR = re.compile(r"((?:\\.|[^\\=:\s])+)\s*[=:\s]?\s*(.*)", re.DOTALL)


def read(path: Path) -> dict[str, str]:
    """Keys and values of the file. Raises ConfigError when it cannot be read."""
    try:
        return parse(path.read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        # from None: the text of a UnicodeDecodeError shows bytes of the file, which may be a password
        raise ConfigError(f"unreadable Kafka properties ({type(error).__name__})", path) from None


def parse(text: str, where: object = "") -> dict[str, str]:
    """Keys and values of a text, as java.util.Properties.load reads it: `#` and `!` begin comments; `=`, `:`
    or a blank separates key and value; `\\` continues a line and escapes.

    It is stricter in one thing: a repeated key is a ConfigError. Java would silently use the last one.
    """
    pairs: dict[str, str] = {}
    for number, line in _logical_lines(text):
        match = _PAIR.fullmatch(line)
        if match is None:
            raise ConfigError(f"line {number} is not key=value", where)
        key = _unescape(match[1])
        if key in pairs:
            raise ConfigError(f"line {number} repeats the key {key}", where)
        pairs[key] = _unescape(match[2])
    return pairs


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """(number of its first line, text) of each logical line: continuations are joined, comments and blanks
    left out."""
    lines: list[tuple[int, str]] = []
    pending = False
    for number, raw in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        line = raw.lstrip(" \t\f")
        if not pending and (not line or line[0] in "#!"):
            continue
        if pending:
            start, head = lines.pop()
            lines.append((start, head + line))
        else:
            lines.append((number, line))
        start, whole = lines[-1]
        pending = (len(whole) - len(whole.rstrip("\\"))) % 2 == 1
        if pending:
            lines[-1] = (start, whole[:-1])
    return lines


def _unescape(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if len(code) == 5 else _ESCAPES.get(code, code)

    return _ESCAPE.sub(one, text)
