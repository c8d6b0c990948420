"""Caso 1: socket -> words -> console."""

from __future__ import annotations

import contextlib
import time

from pyspark.sql.streaming import StreamingQuery

from jobs.contract.ends import Console, Socket, Way
from jobs.core import line_server
from jobs.core.lab import Facts, Lab
from jobs.core.line_server import LineServer
from jobs.domain import palabras

FRASES = ("Spark Streaming en el Severo Ochoa", "El Severo Ochoa está en Elche")
_PAUSE_S = 3.0  # long enough for each line to be a batch of its own


def run(lab: Lab) -> Facts:
    """Counts until the socket closes, `seconds` are over or Ctrl-C. Facts: batches, rows of the last one."""
    port, mode = lab.number("port"), lab.text("mode")
    with contextlib.ExitStack() as stack:
        server = None
        if line_server.listens(port):
            lab.say(f"leyendo de 127.0.0.1:{port}; escribe en el terminal de nc, Ctrl-C aquí termina")
        else:
            lab.say(f"en 127.0.0.1:{port} no escucha nadie: las frases las envía el laboratorio (nc -lk {port} para escribirlas tú)")
            server = stack.enter_context(line_server.serving(port))
        with lab.settings(spark__sql__shuffle__partitions=3):
            way = Way(Socket(port=port), Console(truncate=False), mode=mode, trigger="default", state="aggregation")  # type: ignore[arg-type]
            query = lab.start(palabras.contadas(lab.read(way.source)), way, "palabras")
            if server:
                _speak(lab, server, query)
            else:
                lab.follow(query, seconds=float(lab.options["seconds"]))
    done = [p for p in query.recentProgress if p["numInputRows"]]
    return {"batches": len(done), "lines": sum(p["numInputRows"] for p in done)}


def _speak(lab: Lab, server: LineServer, query: StreamingQuery) -> None:
    """The sample sentences, one a batch."""
    frases = iter(FRASES)
    upcoming = time.monotonic() + 1

    def all_said() -> bool:
        nonlocal upcoming
        if time.monotonic() < upcoming:
            return False
        frase = next(frases, None)
        if frase is not None:
            lab.say(f"> {frase}")
            server.send(frase)
        upcoming = time.monotonic() + _PAUSE_S
        return frase is None

    lab.follow(query, until=all_said, seconds=float(lab.options["seconds"]))
