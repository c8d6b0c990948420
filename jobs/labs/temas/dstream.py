"""DStream, run where this Spark still has it, beside the same count with Structured Streaming."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

import pyspark

from jobs.contract.deadline import until
from jobs.domain import palabras
from jobs.labs.declared.ends import Folder, ForeachBatch, Pipeline
from jobs.labs.kit.files import deliver
from jobs.labs.kit.lab import Facts, Lab

FRASES = ("Spark Streaming en el Severo Ochoa", "El Severo Ochoa está en Elche")
_WAIT_S = 20.0  # for two intervals of half a second


def run(lab: Lab) -> Facts:
    """Facts: has (whether this Spark has DStream), dstream and structured (word -> count; dstream empty where
    there is none)."""
    structured = _structured(lab)
    counted = _dstream(lab)
    if counted is None:
        lab.say(f"Spark {pyspark.__version__} ya no trae DStream (pyspark.streaming)")
    else:
        lab.say(f"Spark {pyspark.__version__} trae DStream todavía, marcado como obsoleto")
    words = sorted(structured)
    lab.table(
        ("palabra", "Structured", "DStream"),
        [(word, structured[word], (counted or {}).get(word, "-")) for word in words],
    )
    lab.say(
        "DStream trocea por reloj y reparte RDD; "
        "Structured Streaming usa el optimizador, tiempo de evento y checkpoints con exactly-once"
    )
    return {"has": counted is not None, "structured": structured, "dstream": counted or {}}


def _structured(lab: Lab) -> dict[str, int]:
    deliver(lab, "0.txt", FRASES)
    source = Folder("entrada", "text")
    counts: dict[str, int] = {}
    frame = palabras.contadas(lab.read(source))
    each = lambda batch, _: counts.update((row["palabra"], row["count"]) for row in batch.collect())  # noqa: E731 - as short as it reads
    query = lab.start(
        frame, Pipeline(source, ForeachBatch(), "complete", state="aggregation"), "palabras", each=each
    )
    lab.follow(query)
    return counts


def _dstream(lab: Lab) -> dict[str, int] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pyspark.streaming import StreamingContext
    except ImportError:
        return None
    counted: Counter[str] = Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # DStream warns that it is deprecated; the lab says so itself
        context: Any = StreamingContext(lab.spark.sparkContext, 0.5)
    intervals = [lab.spark.sparkContext.parallelize([frase], 1) for frase in FRASES]
    words = (
        context.queueStream(intervals)
        .flatMap(lambda line: line.split())
        .map(lambda word: (word, 1))
        .reduceByKey(lambda a, b: a + b)
    )
    words.foreachRDD(lambda rdd: counted.update(dict(rdd.collect())))
    context.start()
    until(lambda: counted.total() >= sum(len(frase.split()) for frase in FRASES), _WAIT_S, 0.1)
    context.stop(stopSparkContext=False, stopGraceFully=True)
    return dict(counted)
