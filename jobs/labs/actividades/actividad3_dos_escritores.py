"""Actividad 3: one reader, two writers in one session; both end when one does."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.streaming import StreamingQuery

from jobs.domain import facturas
from jobs.labs.declared.castellano import cuantos
from jobs.labs.declared.ends import Folder, Pipeline, Subscription, Trigger
from jobs.labs.kit import lab as frame
from jobs.labs.kit import progress, sample_files, sources
from jobs.labs.kit.lab import Facts, Lab

_POLL_S = 0.2


@dataclass(frozen=True)
class Topics:
    facturas: str
    notificaciones: str


def run(lab: Lab) -> Facts:
    """Facts: who failed (empty: nobody), invoices read, lines in files, messages sent and how many of them
    differ."""
    failing = lab.text("fail")
    topics = Topics(lab.topics.fresh("facturas", 3), lab.topics.fresh("notificaciones", 3))
    first, second = [
        file.read_text(encoding="utf-8").splitlines() for file in sample_files.samples(lab.folder)
    ]
    bad = json.loads(second[0])["InvoiceNumber"] if failing != "no" else ""
    queries = _start(lab, topics, "default", failing, bad)
    with lab.quiet() if bad else contextlib.nullcontext():
        failed = _both(lab, topics, queries, [first, second])
    if failed:
        lab.say("otra vez los dos, desde sus checkpoints y sin el fallo")
        lab.follow(*_start(lab, topics, "available-now").values())
    return {"failed": failed, **_found(lab, topics, len(first) + len(second))}


def _start(
    lab: Lab, topics: Topics, trigger: Trigger, failing: str = "", bad: str = ""
) -> dict[str, StreamingQuery]:
    """The two queries over one reader; the one named `failing` fails at the invoice `bad`."""
    source = Subscription((topics.facturas,))
    invoices = sources.values(lab.read(source), "json", facturas.SCHEMA)
    started = {}
    for name, transform, sink in (
        ("ficheros", facturas.lineas, Folder("salida")),
        ("kafka", _messages, Subscription((topics.notificaciones,))),
    ):
        rows = transform(_breaking(invoices, bad) if name == failing else invoices)
        started[name] = lab.start(rows, Pipeline(source, sink, trigger=trigger), name)
    return started


def _messages(invoices: DataFrame) -> DataFrame:
    rows = facturas.notificaciones(invoices)
    return rows.select(
        F.col("InvoiceNumber").alias("key"),
        F.to_json(F.struct(*[c for c in rows.columns if c != "InvoiceNumber"])).alias("value"),
    )


def _breaking(invoices: DataFrame, bad: str) -> DataFrame:
    """Fails at one invoice, as a bug in one writer's own transform would."""
    number = F.when(
        F.col("InvoiceNumber") == bad, F.raise_error(F.lit(f"esta factura no: {bad}")).cast("string")
    ).otherwise(F.col("InvoiceNumber"))
    return invoices.withColumn("InvoiceNumber", number)


def _both(lab: Lab, topics: Topics, queries: dict[str, StreamingQuery], deliveries: list[list[str]]) -> str:
    """Sends each delivery when both queries have read the one before, and stops both when either ends.

    Returns the name of the one that failed; empty for none.
    """
    sent, failed = 0, ""
    try:
        for invoices in deliveries:
            sent += lab.topics.produce(topics.facturas, invoices)
            lab.say(f"{cuantos(len(invoices), 'factura')} al topic de entrada")
            if _ended(lab, lambda: all(progress.rows_read(q) >= sent for q in queries.values())):  # noqa: B023 - asked within this turn
                break
    except StreamingQueryException as error:
        failed = next(name for name, query in queries.items() if query.exception())
        lab.say(
            f"awaitAnyTermination: ha fallado {failed} ({_reason(error)}); "
            "el otro se detiene al acabar su batch"
        )
    finally:
        for query in queries.values():
            frame.stop(query)
    states = {name: "ha fallado" if name == failed else "detenido" for name in queries}
    rows = [(n, f"checkpoints/{n}", progress.rows_read(query), states[n]) for n, query in queries.items()]
    lab.table(("escritor", "checkpoint", "facturas leídas", "estado"), rows)
    return failed


def _ended(lab: Lab, done: Callable[[], bool]) -> bool:
    """Waits for `done` or Ctrl-C; true when some query ended before. Raises StreamingQueryException when it
    failed."""
    while not done() and not lab.stopping:
        if lab.spark.streams.awaitAnyTermination(_POLL_S):
            return True
    return lab.stopping


def _reason(error: Exception) -> str:
    """The failing writer's own message, or the start of Spark's."""
    text = " ".join(str(error).split())
    own = re.search(r"esta factura no: \d+", text)
    return own[0] if own else text[:120]


def _found(lab: Lab, topics: Topics, invoices: int) -> Facts:
    parts = sample_files.parts(lab.path("salida"))
    lines = sample_files.lines(parts)
    messages = [(message.key, message.value) for message in lab.topics.read(topics.notificaciones)]
    written, sent = cuantos(lines, "línea"), cuantos(len(messages), "mensaje")
    distinct = cuantos(len(set(messages)), "distinto")
    lab.say(
        f"{cuantos(invoices, 'factura')}: {written} en salida, {sent} en {topics.notificaciones}, {distinct}"
    )
    if left := len(list(lab.path("salida").glob("part-*"))) - len(parts):
        files = cuantos(left, "fichero más en salida es", "ficheros más en salida son")
        lab.say(f"{files} del batch que falló: no está en _spark_metadata, y ningún Spark lo lee")
    if len(messages) > len(set(messages)):
        lab.say(
            "los repetidos: el batch que falló a medias se envió otra vez (al menos una vez); "
            "el stream notificaciones no repite"
        )
    return {"invoices": invoices, "lines": lines, "messages": len(messages), "distinct": len(set(messages))}
