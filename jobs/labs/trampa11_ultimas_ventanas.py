"""Trap 11: the last windows of an availableNow run stay in the state."""

from __future__ import annotations

from typing import Any

from jobs.contract.ends import Folder, ForeachBatch, Way
from jobs.core.lab import Facts, Lab
from jobs.core.lab_files import deliver
from jobs.domain import iot
from jobs.labs.trampa10_evento_del_futuro import lecturas


def run(lab: Lab) -> Facts:
    """Facts: delivered and published readings, open ones (in the state still)."""
    for number, minutes in enumerate((range(20), range(20, 40))):
        deliver(lab, f"{number}.json", lecturas(minutes), at_s=number)
    source, out = Folder("entrada", max_files=1), list[dict[str, Any]]()
    with lab.settings(spark__sql__shuffle__partitions=2):
        way = Way(source, ForeachBatch(), state="windowed")
        query = lab.start(
            iot.maximas_contadas(lab.read(source, iot.SCHEMA)), way, "ventanas", each=lambda f, _: out.extend(r.asDict() for r in f.collect())
        )
        lab.follow(query)
    published = sum(row["lecturas"] for row in out)
    state = lab.spark.read.format("statestore").load(str(lab.path("checkpoints", "ventanas"))).count()
    lab.table(("entregadas", "en ventanas que salen", "en el estado, sin salir"), [(40, published, 40 - published)])
    lab.say(f"{state} ventanas siguen abiertas en el estado; saldrán cuando lleguen datos más nuevos, o con --close-windows en un stream de Caudal")
    return {"delivered": 40, "published": published, "open_windows": state}
