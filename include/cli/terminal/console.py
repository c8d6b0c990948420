"""The functions that verbs print with: lines, tables that fit, progress. `--json` prints one object as the
last line of stdout."""

from __future__ import annotations

import json
import sys
from typing import Any

from include.cli.terminal.progress import Step, print_above, step
from include.cli.terminal.screen import printable
from include.cli.terminal.table import table

__all__ = ["Step", "console_error", "json_line", "printable", "say", "step", "table"]


def say(text: str = "") -> None:
    """Prints one line. It is never broken, however long, so that a command in it can be copied."""
    print_above(printable(text))


def console_error(text: str) -> None:
    print(printable(f"caudal: {text}"), file=sys.stderr, flush=True)


def json_line(value: dict[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False, default=str), flush=True)
