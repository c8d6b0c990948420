"""Trap 10: one value that is not a number stops a query that casts it, at this start and at every later
one."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.contract.errors import RunFailed
from jobs.contract.stream import Files, Stream
from jobs.core.read.records import Subject
from jobs.domain import iot
from jobs.labs.declared.ends import Folder, ForeachBatch, Pipeline
from jobs.labs.kit import strict
from jobs.labs.kit.files import deliver
from jobs.labs.kit.lab import Facts, Lab

TEMPERATURAS = (("20.0", "20.5", "21.0"), ("21.5", '"veinte"', "22.0"), ("22.5", "23.0", "23.5"))
SOURCE = Folder("entrada", "text", max_files=1)
COMO_CAUDAL = Stream("trampa10", Files("json"), Files("json"))


def lineas(values: tuple[str, ...], hora: int) -> list[str]:
    return [
        f'{{"sensor":"s1","temperatura":{value},"momento":"2026-11-01T{hora:02d}:{n:02d}:00Z"}}'
        for n, value in enumerate(values)
    ]


def run(lab: Lab) -> Facts:
    """Facts: delivered (readings); cast and again (what stands after the first start and after another one),
    try_cast (readings, and how many of them without a value), caudal (accepted) and refused (reason -> how
    many)."""
    for at, values in enumerate(TEMPERATURAS):
        deliver(lab, f"{at}.json", lineas(values, at), "entrada", at_s=at)
    text = F.get_json_object("value", "$.temperatura")
    with lab.quiet():
        stood: list[float | None] = []
        stops = [_stops(lab, text.cast("double"), "cast", stood) for _ in range(2)]
    tried: list[float | None] = []
    _stops(lab, text.try_cast("double"), "try_cast", tried)
    refused = strict.refused(
        lab.spark.read.text(str(lab.path("entrada"))), Subject(iot.SCHEMA, iot.RULES), COMO_CAUDAL
    )
    delivered = sum(map(len, TEMPERATURAS))
    good = delivered - sum(refused.values())
    rows = [
        ("cast", stops[0], "se para"),
        ("cast, otra vez", stops[1], "se para en el mismo fichero"),
        ("try_cast", len(tried), f"{tried.count(None)} sin valor, y nadie lo dice"),
        ("Caudal", good, f"{sum(refused.values())} en cuarentena: {', '.join(refused)}"),
    ]
    lab.table(("", f"de {delivered} lecturas", ""), rows)
    plain = {"cast": stops[0], "again": stops[1], "try_cast": [len(tried), tried.count(None)]}
    return {"delivered": delivered, **plain, "caudal": good, "refused": refused}


def _stops(lab: Lab, value: Column, name: str, stood: list[float | None]) -> int:
    """How many readings stand once the query has ended, by itself or by the one it cannot cast."""

    def keep(batch: DataFrame, _: int) -> None:
        stood.extend(row[0] for row in batch.collect())

    query = lab.start(lab.read(SOURCE).select(value), Pipeline(SOURCE, ForeachBatch()), name, each=keep)
    try:
        lab.follow(query)
    except RunFailed:
        lab.say(f"{name}: la consulta ha muerto en la lectura que no es un número")
    return len(stood)
