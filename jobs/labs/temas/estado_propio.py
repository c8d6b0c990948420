"""transformWithState in Python."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.domain import bizums, cuentas
from jobs.labs.declared.ends import Folder, ForeachBatch, Pipeline
from jobs.labs.kit.files import deliver
from jobs.labs.kit.lab import Facts, Lab

_FILES = 3
_ROCKSDB = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"


def run(lab: Lab) -> Facts:
    """Facts: counts (person -> bizums of all batches, whether or not a timer has ended an account meanwhile),
    idle (people whose timer fired)."""
    lines = lab.path("bizums.csv").read_text(encoding="utf-8").splitlines()
    size = -(-len(lines) // _FILES)
    for number in range(_FILES):
        deliver(lab, f"{number}.csv", lines[number * size : (number + 1) * size], at_s=number)
    seen: list[dict[str, Any]] = []
    source = Folder("entrada", "csv", max_files=1, options=(("sep", ";"),))
    with lab.settings(
        spark__sql__streaming__stateStore__providerClass=_ROCKSDB, spark__sql__shuffle__partitions=2
    ):
        accounts = _accounts(lab.read(source, bizums.DATED))
        query = lab.start(
            accounts,
            Pipeline(source, ForeachBatch(), "update", state="windowed"),
            "cuentas",
            each=_show(lab, seen),
        )
        lab.follow(query)
    counts: Counter[str] = Counter()
    for batch in seen:
        counts.update(batch["more"])
    return {"counts": dict(counts), "idle": sorted({who for batch in seen for who in batch["idle"]})}


def _accounts(frame: DataFrame) -> DataFrame:
    who = frame.withWatermark("Fecha", "6 hours").select(
        bizums.persona(F.col("Nombre")).alias("Persona"),
        "Cantidad",
        F.unix_millis("Fecha").alias("Ms"),
        "Fecha",
    )
    return who.groupBy("Persona").transformWithState(
        statefulProcessor=cuentas.Cuenta(),
        outputStructType=cuentas.SALIDA,
        outputMode="Update",
        timeMode="EventTime",
    )


def _show(lab: Lab, seen: list[dict[str, Any]]) -> Any:
    known: dict[str, int] = {}

    def each(frame: DataFrame, batch: int) -> None:
        rows = sorted((r.Persona, r.Bizums, round(r.Suma, 2), r.Inactiva) for r in frame.collect())
        more = {}
        for who, count, _, idle in rows:
            if idle == "sí":
                known.pop(who, None)
            else:
                more[who] = count - known.get(who, 0)
                known[who] = count
        seen.append({"more": more, "idle": [who for who, _, _, idle in rows if idle == "sí"]})
        if rows:
            lab.say(f"micro-batch {batch}")
            lab.table(("persona", "bizums", "suma", "inactiva"), rows)

    return each
