"""MLlib: train on a batch, score a stream."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.types import DoubleType, StringType, StructType

from jobs.labs.declared.ends import Folder, ForeachBatch, Pipeline
from jobs.labs.kit.files import deliver
from jobs.labs.kit.lab import Facts, Lab

LECTURAS = (
    StructType().add("sensor", StringType()).add("temperatura", DoubleType()).add("humedad", DoubleType())
)
PASADO = [(float(t), float(h), float(t > 60 and h < 30)) for t in range(10, 100, 5) for h in range(5, 95, 10)]
NUEVAS = ("s1,20,40", "s2,85,10", "s3,85,80", "s4,99,29", "s5,40,5")


def run(lab: Lab) -> Facts:
    """Facts: broken (sensor -> whether the model calls it broken)."""
    model = _trained(lab.spark.createDataFrame(PASADO, "temperatura double, humedad double, averia double"))
    deliver(lab, "0.csv", NUEVAS)
    source = Folder("entrada", "csv")
    verdicts: dict[str, bool] = {}
    scored = model.transform(lab.read(source, LECTURAS)).select("sensor", "prediction")
    each = lambda batch, _: verdicts.update((row.sensor, bool(row.prediction)) for row in batch.collect())  # noqa: E731 - as short as it reads
    query = lab.start(scored, Pipeline(source, ForeachBatch()), "averias", each=each)
    lab.follow(query)
    lab.table(
        ("sensor", "¿avería?"),
        [(sensor, "sí" if broken else "no") for sensor, broken in sorted(verdicts.items())],
    )
    return {"broken": verdicts}


def _trained(past: DataFrame) -> Any:
    from pyspark import ml
    from pyspark.ml.classification import DecisionTreeClassifier
    from pyspark.ml.feature import VectorAssembler

    features = VectorAssembler(inputCols=["temperatura", "humedad"], outputCol="features")
    return ml.Pipeline(stages=[features, DecisionTreeClassifier(labelCol="averia", maxDepth=4)]).fit(past)
