"""Caso 1 in this process: the sentences of the course, the lines of a listener, a port that refuses a
connection, a socket that closes."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from include import labs
from include.torture.brokers import free_ports
from jobs.contract.errors import RunFailed
from jobs.labs.casos import caso1_palabras
from jobs.labs.casos.caso1_palabras import FRASES
from jobs.labs.kit.lab import Facts, Lab

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def run(spark: Any, folder: Path, said: list[str], **options: Any) -> Facts:
    values = labs.get("caso1_palabras").values({name: str(value) for name, value in options.items()})
    return caso1_palabras.run(Lab(spark.newSession(), folder, values, say=said.append))


def words(*lines: str) -> dict[str, int]:
    """The reference: plain Python."""
    return dict(Counter(word for line in lines for word in line.split()))


@contextmanager
def listener(*lines: str, port: int = 0) -> Iterator[int]:
    """Accepts once, sends, closes: what `nc -l` does whose input ends."""

    def serve() -> None:
        reader, _ = server.accept()
        with reader:
            reader.sendall("".join(f"{line}\n" for line in lines).encode())

    with socket.create_server(("127.0.0.1", port)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


@pytest.mark.parametrize(("mode", "rows_shown"), [("complete", [6, 9]), ("update", [6, 6])])
def test_complete_shows_every_word_and_update_those_that_changed(
    spark: Any, tmp_path: Path, mode: str, rows_shown: list[int]
) -> None:
    said: list[str] = []
    found = run(spark, tmp_path, said, port=free_ports(1)[0], mode=mode)
    assert found == {"batches": 2, "lines": 2, "shown": rows_shown, "counts": words(*FRASES)}
    assert [line for line in said if line.startswith("> ")] == [f"> {frase}" for frase in FRASES]


def test_lines_of_a_listener_are_counted_and_the_lab_ends_when_the_socket_closes(
    spark: Any, tmp_path: Path
) -> None:
    said: list[str] = []
    lines = [
        "  uno  dos\ttres ",
        "",
        "dos tres tres",
        "ÁRBOL árbol",
        *(f"fila {n % 7}" for n in range(3_000)),
    ]
    with listener(*lines) as port:
        found = run(spark, tmp_path, said, port=port)
    assert (found["lines"], found["counts"]) == (3_004, words(*lines))
    assert "el socket se ha cerrado" in said


def test_a_port_that_refuses_is_one_line(spark: Any, tmp_path: Path) -> None:
    with socket.socket() as bound:  # taken, but nobody listens there
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(RunFailed, match=r"palabras: .*Connection refused"):
            run(spark, tmp_path, [], port=bound.getsockname()[1])


def test_seconds_end_it(spark: Any, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connected by the system, and never a line
        found = run(spark, tmp_path, [], port=silent.getsockname()[1], seconds=1)
    assert found == {"batches": 0, "lines": 0, "shown": [], "counts": {}}
