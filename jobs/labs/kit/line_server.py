"""A server of text lines on 127.0.0.1, for labs that read a socket: `nc -lk` whose lines come from the
program."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Sequence

import psutil

_CLOSE = None


class LineServer:
    """Sends lines to the first reader that connects; lines that are sent before it connects wait for it."""

    def __init__(self, port: int = 0) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def send(self, line: str) -> None:
        self._lines.put(line)

    def close(self) -> None:
        """Closes the connection after the lines sent so far."""
        self._lines.put(_CLOSE)

    def _serve(self) -> None:
        reader, _ = self._listener.accept()
        with contextlib.suppress(OSError):
            while (line := self._lines.get()) is not _CLOSE:
                reader.sendall(f"{line}\n".encode())
        reader.close()
        self._listener.close()


@contextlib.contextmanager
def serving(port: int = 0) -> Iterator[LineServer]:
    server = LineServer(port)
    try:
        yield server
    finally:
        server.close()


def listens(port: int) -> bool:
    """Whether somebody listens on 127.0.0.1:`port`.

    It tries to bind instead of to connect: a listener that accepts one connection would be used up.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def connection(port: int) -> str:
    """How readers of 127.0.0.1:`port` are connected: `open`, `closed` or `none`. `closed` means that the
    listener has closed and the reader has not noticed."""
    states = {
        c.status
        for c in psutil.net_connections("tcp")
        if c.raddr and c.raddr.port == port and c.raddr.ip.endswith("127.0.0.1")
    }
    if psutil.CONN_ESTABLISHED in states:
        return "open"
    return "closed" if psutil.CONN_CLOSE_WAIT in states else "none"


def dictated(
    server: LineServer, lines: Sequence[str], heard: Callable[[], int], say: Callable[[str], None]
) -> Callable[[], bool]:
    """A condition for Lab.follow's `until`, which also sends `lines` one by one.

    Each call sends the next line if all before it were heard, so each line opens a batch. It is true when the
    last one was heard. `heard`: how many lines were heard so far, -1 before anybody listens.
    """
    sent = 0

    def all_heard() -> bool:
        nonlocal sent
        if heard() < sent:
            return False
        if sent < len(lines):
            say(f"> {lines[sent]}")
            server.send(lines[sent])
            sent += 1
            return False
        return True

    return all_heard
