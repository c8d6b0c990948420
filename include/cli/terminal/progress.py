"""Shows what is being waited for: a spinner on a terminal, whole lines elsewhere, nothing for quick work.

The spinner is drawn on stderr. Lines go to stdout, as part of a verb's report. If stdout is for the answer
alone, they go to stderr.
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
_TOLD_AFTER_S = 2.0  # a shorter step needs no line
_LINES_APART_S = 2.0  # the detail may change faster than a person reads
_STILL_S = 15.0  # print a line at least this often: a silent log looks like a hung program
_POLL_S = 0.1
_CURRENT: list[Step] = []
Writer = Callable[[TextIO, bytes], None]


class Step:
    """A step under way. `update` sets the detail that is being waited for. A thread draws, so the work itself
    never waits for the terminal."""

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
        """Calls `show`, which prints, while the spinner is hidden."""
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
        """The text on one line of `room` columns. If it is too long, its end is cut, but the seconds are
        kept."""
        seconds = f" ({self.took_s:.0f} s)"
        text = Text(self._text)
        text.truncate(max(room - len(seconds) - 3, 1), overflow="ellipsis")
        return text.append(seconds)

    def _spin(self) -> None:
        """Draws the spinner, with ASCII frames: not every terminal's encoding has others."""
        if self._over.wait(_SPINS_AFTER_S):
            return
        console = Console(stderr=True)
        spinner = Spinner("line", self._shown(console.width))
        # rich must not redirect stdout or stderr: output to a pipe must reach it
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
        """Prints a line when the step begins to take long, when the detail changes, and from time to time."""
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
    """Shows the progress of work that may take over a second. `aside`: stdout is for the answer alone.
    `closing`: a last line says how long it took. A step within a step only sets the detail of the outer
    one."""
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
    """Prints a line to stdout. A spinner on the same terminal makes room for it."""
    if _CURRENT and is_terminal(sys.stdout):
        _CURRENT[-1].above(lambda: print(text, flush=True))
    else:
        print(text, flush=True)


@contextmanager
def spinner_below(title: str, write: Writer) -> Iterator[Writer]:
    """Wraps `write`, which passes on another program's output, so that whole lines appear above a spinner.
    Where no spinner can be drawn, `write` is unchanged: that program reports its own steps."""
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
                if rest:  # an unfinished line would be erased with the spinner
                    current.above(partial(write, to, rest + b"\n" if is_terminal(to) else rest))
