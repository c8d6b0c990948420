"""What the verbs print with: rich on a terminal, plain lines for NO_COLOR, a pipe or a file; `--json` prints one object as the last line."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table


def plain() -> bool:
    return bool(os.environ.get("NO_COLOR")) or not sys.stdout.isatty()  # noqa: TID251


def say(text: str = "") -> None:
    """One line for a person. Control characters of foreign data are shown, not sent to the terminal."""
    print(printable(text), flush=True)


def printable(text: str) -> str:
    """One line whatever is in it; bytes that were no text (surrogates of a file name) as these bytes."""
    return "".join(c if c.isprintable() or c == "\t" else f"\\x{ord(c) & 0xFF if 0xDC80 <= ord(c) <= 0xDCFF else ord(c):02x}" for c in text)


def console_error(text: str) -> None:
    print(printable(f"caudal: {text}"), file=sys.stderr, flush=True)


def json_line(value: dict[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False, default=str), flush=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """A table on a terminal; aligned plain columns elsewhere."""
    cells = [[printable(str(c)) for c in row] for row in rows]
    if not plain():
        rich = Table(*columns, title=title or None, title_justify="left", header_style="bold")
        for row in cells:
            rich.add_row(*row)
        Console(markup=False).print(rich)
        return
    if title:
        print(title)
    widths = [max(len(str(c)), *(len(r[i]) for r in cells)) if cells else len(str(c)) for i, c in enumerate(columns)]
    for row in [[str(c) for c in columns], *cells]:
        print("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip(), flush=True)


class Step:
    """A step under way; `update` tells how far it is."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.detail = ""

    def update(self, detail: str) -> None:
        self.detail = detail


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Progress of something that may take over two seconds: a spinner on a terminal, a line at start and end elsewhere (with seconds)."""
    current = Step(title)
    start = time.monotonic()
    if plain():
        print(f"{title} ...", flush=True)
        yield current
    else:
        with Console(markup=False).status(title) as status:
            current.update = lambda detail: status.update(f"{title}: {detail}")  # type: ignore[method-assign]
            yield current
    print(f"{title}: done in {time.monotonic() - start:.1f} s", flush=True)
