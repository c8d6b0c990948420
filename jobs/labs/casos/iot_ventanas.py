"""IoT: sliding windows of 15 minutes and the maximum of each 5, from files or Kafka."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame

from jobs.contract.errors import UsageError
from jobs.domain import iot
from jobs.labs.declared.castellano import cuantos
from jobs.labs.declared.ends import Folder, ForeachBatch, Pipeline, Source, Subscription
from jobs.labs.kit import progress, sources
from jobs.labs.kit.files import deliver
from jobs.labs.kit.lab import Facts, Lab

_BATCHES = 4
_SHOWN = 8


def run(lab: Lab) -> Facts:
    """Facts: windows and maxima, each as rows (inicio, fin, sensor, …; times as text in UTC) that came out;
    late: readings that no window of 5 minutes took, late_windows: the same for those of 15, in which a
    reading counts three times."""
    lines = lab.path("lecturas.json").read_text(encoding="utf-8").splitlines()
    source = _source(lab, lines)
    facts: Facts = {}
    with lab.settings(spark__sql__shuffle__partitions=3):
        facts["windows"], facts["late_windows"] = _windows(lab, source, "windows", iot.ventanas)
        facts["maxima"], facts["late"] = _windows(lab, source, "maxima", iot.maximas)
    for name, title in (
        ("windows", "ventanas de 15 minutos, las últimas"),
        ("maxima", "máxima de cada 5 minutos, las últimas"),
    ):
        rows = facts[name][-_SHOWN:]
        lab.say(title)
        lab.table(list(rows[0]) if rows else ["(ninguna)"], [list(row.values()) for row in rows])
    windows, maxima = (cuantos(len(facts[name]), "ventana") for name in ("windows", "maxima"))
    lab.say(f"han salido {windows} de 15 minutos y {maxima} de 5")
    lab.say(
        f"lecturas demasiado tarde: {facts['late']}; en ventanas de 15 minutos cada una falta en tres: "
        f"{facts['late_windows']}"
    )
    return facts


def _source(lab: Lab, lines: list[str]) -> Source:
    size = -(-len(lines) // _BATCHES)
    if lab.text("source") == "kafka":
        topic = lab.topics.fresh("lecturas")
        lab.topics.produce(topic, lines)
        return Subscription((topic,), max_records=size)
    if lab.text("source") != "files":
        raise UsageError(f"{lab.text('source')[:30]!r} no es ninguno de files, kafka", "--source")
    for number in range(_BATCHES):
        deliver(lab, f"{number}.json", lines[number * size : (number + 1) * size], at_s=number)
    return Folder("entrada", max_files=1)


def _windows(
    lab: Lab, source: Source, name: str, transform: Callable[[DataFrame], DataFrame]
) -> tuple[list[dict[str, Any]], int]:
    frame = lab.read(source, iot.SCHEMA)
    readings = sources.values(frame, "json", iot.SCHEMA) if isinstance(source, Subscription) else frame
    windows = transform(readings)
    times = [windows[name].cast("string").alias(name) for name in ("inicio", "fin")]
    texts = windows.select(*times, *windows.columns[2:])
    rows: list[dict[str, Any]] = []
    pipeline = Pipeline(source, ForeachBatch(), state="windowed")
    query = lab.start(
        texts, pipeline, name, each=lambda batch, _: rows.extend(row.asDict() for row in batch.collect())
    )
    lab.follow(query)
    return sorted(rows, key=lambda row: (row["inicio"], row["sensor"])), progress.rows_late(query)
