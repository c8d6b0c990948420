"""Caso 1: socket -> words -> console."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from pyspark.sql.streaming import StreamingQuery

from jobs.domain import palabras
from jobs.labs.declared.castellano import cuantos
from jobs.labs.declared.ends import Console, Pipeline, Socket
from jobs.labs.kit import line_server, progress
from jobs.labs.kit.lab import Facts, Lab

FRASES = ("Spark Streaming en el Severo Ochoa", "El Severo Ochoa está en Elche")


def run(lab: Lab) -> Facts:
    """Counts until the socket closes, `seconds` are over or Ctrl-C. Facts: batches with lines, lines, rows
    shown by each batch, the counts kept."""
    port = lab.number("port")
    pipeline = Pipeline(
        Socket(port=port),
        Console(truncate=False),
        mode=lab.text("mode"),  # type: ignore[arg-type]
        trigger="default",
        state="aggregation",
    )
    with contextlib.ExitStack() as stack:
        server = None
        if line_server.listens(port):
            lab.say(f"leyendo de 127.0.0.1:{port}; escribe en el terminal de nc, Ctrl-C aquí termina")
        else:
            lab.say(
                f"en 127.0.0.1:{port} no escucha nadie: "
                f"las frases las envía el laboratorio (nc -lk {port} para escribirlas tú)"
            )
            server = stack.enter_context(line_server.serving(port))
        with lab.settings(spark__sql__shuffle__partitions=3):
            query = lab.start(palabras.contadas(lab.read(pipeline.source)), pipeline, "palabras")
            until = (
                line_server.dictated(server, FRASES, lambda: heard(query), lab.say)
                if server
                else _closed(lab, port, query)
            )
            lab.follow(query, seconds=float(lab.options["seconds"]), until=until)
    return _found(lab, query)


def heard(query: StreamingQuery) -> int:
    """Lines that were counted; -1 until the first batch is done, which is empty."""
    return progress.rows_read(query) if progress.batches(query) else -1


def _closed(lab: Lab, port: int, query: StreamingQuery) -> Callable[[], bool]:
    """A condition that is true once the connection has closed and its last lines are counted. Spark itself
    would wait for ever."""
    was_open = False

    def gone() -> bool:
        nonlocal was_open
        now = line_server.connection(port)
        was_open = was_open or now != "none"
        if ended := was_open and now != "open":
            lab.say("el socket se ha cerrado")
            query.processAllAvailable()
        return ended

    return gone


def _found(lab: Lab, query: StreamingQuery) -> Facts:
    done = [p for p in progress.batches(query) if p["numInputRows"]]
    lines = sum(p["numInputRows"] for p in done)
    counts = kept(lab) if progress.batches(query) else {}
    words, times = cuantos(len(counts), "palabra"), cuantos(sum(counts.values()), "aparición", "apariciones")
    lab.say(
        f"{cuantos(lines, 'línea')} en {cuantos(len(done), 'micro-batch')}; "
        f"el checkpoint guarda {words}, {times}"
    )
    return {
        "batches": len(done),
        "lines": lines,
        "shown": [p["sink"]["numOutputRows"] for p in done],
        "counts": counts,
    }


def kept(lab: Lab) -> dict[str, int]:
    """The state that Spark keeps between batches, read from the checkpoint: word -> count."""
    state = lab.spark.read.format("statestore").load(str(lab.path("checkpoints", "palabras")))
    return {row["palabra"]: row["count"] for row in state.selectExpr("key.palabra", "value.count").collect()}
