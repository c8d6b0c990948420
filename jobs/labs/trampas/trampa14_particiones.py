"""Trap 14: 200 shuffle partitions for a handful of rows."""

from __future__ import annotations

from typing import Any

from jobs.core.session import SETTINGS
from jobs.domain import palabras
from jobs.labs.declared.ends import Folder, ForeachBatch, Pipeline
from jobs.labs.kit.files import deliver
from jobs.labs.kit.lab import Facts, Lab


def run(lab: Lab) -> Facts:
    """Facts: for 200, 4 and caudal (what its streams have): tasks of the state per batch, seconds; pinned:
    the number after it was set to 4 on the checkpoint of 200."""
    deliver(lab, "0.txt", ["uno dos dos tres tres tres"], at_s=0)
    facts = {str(count): _counted(lab, f"con_{count}", count) for count in (200, 4)}
    deliver(lab, "1.txt", ["uno"], at_s=1)
    facts["caudal"] = _counted(lab, "caudal", int(SETTINGS["spark.sql.shuffle.partitions"]))
    pinned = _counted(lab, "con_200", 4)["partitions"]
    names = {"200": "Spark sin más", "4": "con 4", "caudal": "Caudal"}
    lab.table(
        ("", "tareas por micro-batch", "segundos"),
        [(names[key], f["partitions"], round(f["seconds"], 2)) for key, f in facts.items()],
    )
    lab.say(f"la consulta empezada con 200, puesta después a 4, sigue con {pinned}")
    return {**facts, "pinned": pinned}


def _counted(lab: Lab, name: str, partitions: int) -> dict[str, Any]:
    source = Folder("entrada", "text", max_files=1)
    with lab.settings(spark__sql__shuffle__partitions=partitions):
        pipeline = Pipeline(source, ForeachBatch(), "complete", state="aggregation")
        query = lab.start(
            palabras.contadas(lab.read(source)), pipeline, name, each=lambda frame, _: frame.collect()
        )
        lab.follow(query)
    done = [one for one in query.recentProgress if one["numInputRows"]]
    operators = [state for one in done for state in one["stateOperators"]]
    return {
        "partitions": int(operators[-1]["numShufflePartitions"]),
        "seconds": sum(one["durationMs"]["triggerExecution"] for one in done) / 1000,
    }
