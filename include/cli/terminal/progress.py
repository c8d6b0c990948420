"""What is being waited for: a spinner on a terminal, whole lines elsewhere, nothing for what is quick.

The spinner turns on stderr. Lines belong to a verb's own account of its steps, on stdout; where stdout is an answer they go aside, to stderr.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from include.cli.terminal.screen import is_terminal, printable, styled

_SPINS_AFTER_S = 0.3
_TOLD_AFTER_S = 2.0  # what is over by then needs no line
_LINES_APART_S = 2.0  # details that change faster than a person reads
_STILL_S = 15.0  # a line at least so often: a log that stands still looks like a program that does
_POLL_S = 0.1
_CURRENT: list[Step] = []
Writer = Callable[[TextIO, bytes], None]


class Step:
    """A step under way; `update` tells what of it is being waited for. One thread draws: the work itself is never waited for."""

    def __init__(self, title: str, to: TextIO) -> None:
        self.title, self.to = printable(title), to
        self.begin = time.monotonic()
        self._detail = ""
        self._over = threading.Event()
        self._drawing = threading.Lock()
        self._live: Live | None = None
        self._thread = threading.Thread(target=self._spin if styled(sys.stderr) else self._tell, daemon=True)

    def update(self, detail: str) -> None:
        self._detail = printable(detail)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def above(self, show: Callable[[], None]) -> None:
        """`show` prints while the spinner is away."""
        with self._drawing:
            if self._live:
                self._live.stop()
            show()
            if self._live:
                self._live.start()

    @property
    def took_s(self) -> float:
        return time.monotonic() - self.begin

    @property
    def _text(self) -> str:
        return f"{self.title}: {self._detail}" if self._detail else self.title

    def _shown(self, room: int) -> Text:
        """On one line of so many columns: where it is too long, its end is left out and the seconds are not."""
        seconds = f" ({self.took_s:.0f} s)"
        text = Text(self._text)
        text.truncate(max(room - len(seconds) - 3, 1), overflow="ellipsis")
        return text.append(seconds)

    def _spin(self) -> None:
        """ASCII frames: not every terminal's encoding has others."""
        if self._over.wait(_SPINS_AFTER_S):
            return
        console = Console(stderr=True)
        spinner = Spinner("line", self._shown(console.width))
        # neither stdout nor stderr is diverted: what is printed to a pipe must get there
        live = Live(spinner, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
        with self._drawing:
            self._live = live
            live.start()
        while not self._over.wait(_POLL_S):
            spinner.update(text=self._shown(console.width))
        with self._drawing:
            self._live = None
            live.stop()

    def _tell(self) -> None:
        """A line when it begins to take long, when the detail is another one, and now and then."""
        if self._over.wait(_TOLD_AFTER_S):
            return
        shown, at = self._text, time.monotonic()
        print(f"{shown} ...", file=self.to, flush=True)
        while not self._over.wait(_POLL_S):
            since = time.monotonic() - at
            if (self._text != shown and since >= _LINES_APART_S) or since >= _STILL_S:
                shown, at = self._text, time.monotonic()
                print(f"{shown} ... {self.took_s:.0f} s", file=self.to, flush=True)


@contextmanager
def step(title: str, aside: bool = False, closing: bool = True) -> Iterator[Step]:
    """Progress of something that may take over a second. `aside`: stdout is for the answer alone; `closing`: a last line says how long it took.
    A step within a step only tells its detail."""
    if _CURRENT:
        _CURRENT[-1].update(title)
        yield _CURRENT[-1]
        return
    current = Step(title, sys.stderr if aside else sys.stdout)
    _CURRENT.append(current)
    current.start()
    try:
        yield current
    finally:
        _CURRENT.remove(current)
        current.stop()
    if closing and current.took_s >= _TOLD_AFTER_S:
        print(f"{current.title}: done in {current.took_s:.1f} s", file=current.to, flush=True)


def print_above(text: str) -> None:
    """A line of stdout; a spinner on the same terminal makes room for it."""
    if _CURRENT and is_terminal(sys.stdout):
        _CURRENT[-1].above(lambda: print(text, flush=True))
    else:
        print(text, flush=True)


@contextmanager
def spinner_below(title: str, write: Writer) -> Iterator[Writer]:
    """`write` for another program's output, a whole line at a time, with a spinner below; as it is where no spinner can turn: the program tells
    its steps itself."""
    if not styled(sys.stderr):
        yield write
        return
    held: dict[TextIO, bytes] = {}
    with step(title, closing=False) as current:

        def lines(to: TextIO, part: bytes) -> None:
            whole, end, held[to] = (held.get(to, b"") + part).rpartition(b"\n")
            if end:
                current.above(partial(write, to, whole + end))

        try:
            yield lines
        finally:
            for to, rest in held.items():
                if rest:  # a line that stays open would be wiped away with the spinner
                    current.above(partial(write, to, rest + b"\n" if is_terminal(to) else rest))
