"""Trap 11: the last windows of an availableNow run stay in the state, until a closing batch publishes
them."""

from __future__ import annotations

import time
from typing import Any

from jobs.core import windows
from jobs.domain import iot
from jobs.labs.declared.castellano import cuantos
from jobs.labs.declared.ends import Folder, ForeachBatch, Pipeline, Trigger
from jobs.labs.kit.files import deliver
from jobs.labs.kit.lab import Facts, Lab
from jobs.labs.trampas.trampa10_evento_del_futuro import lecturas

_QUERY = "ventanas"


def run(lab: Lab) -> Facts:
    """Facts: delivered and published readings, open_windows (in the state still); caudal: published once they
    are closed, again: by one more run."""
    for number, minutes in enumerate((range(20), range(20, 40))):
        deliver(lab, f"{number}.json", lecturas(minutes), at_s=number)
    published = _counted(lab, "available-now")
    state = lab.path("checkpoints", _QUERY)
    opened = lab.spark.read.format("statestore").load(str(state)).count()
    windows.write_closing_batch(lab.spark, state, int(time.time() * 1000), lab.folder.name)
    closed, again = _counted(lab, "once"), _counted(lab, "available-now")
    rows = [
        ("Spark", published, 40 - published),
        ("Caudal, con --close-windows", published + closed, 40 - published - closed),
    ]
    lab.table(("", "lecturas en ventanas que salen", "en el estado, sin salir"), rows)
    left = cuantos(opened, "ventana seguía abierta", "ventanas seguían abiertas")
    lab.say(
        f"{left} en el estado hasta el último batch, sin datos, que cierra lo abierto; "
        f"otra ejecución saca {cuantos(again, 'lectura')}"
    )
    return {
        "delivered": 40,
        "published": published,
        "open_windows": opened,
        "caudal": published + closed,
        "again": again,
    }


def _counted(lab: Lab, trigger: Trigger) -> int:
    """Readings in the windows that one run of the same query publishes."""
    source, out = Folder("entrada", max_files=1), list[dict[str, Any]]()
    with lab.settings(spark__sql__shuffle__partitions=2):
        frame = iot.maximas_contadas(lab.read(source, iot.SCHEMA))
        pipeline = Pipeline(source, ForeachBatch(), trigger=trigger, state="windowed")
        lab.follow(
            lab.start(
                frame,
                pipeline,
                _QUERY,
                each=lambda batch, _: out.extend(row.asDict() for row in batch.collect()),
            )
        )
    return sum(row["lecturas"] for row in out)
