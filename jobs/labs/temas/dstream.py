"""DStream: run it where this Spark still has it, beside the same by Structured Streaming."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

import pyspark

from jobs.contract.deadline import until
from jobs.domain import palabras
from jobs.labs.declared.ends import Folder, ForeachBatch, Way
from jobs.labs.kit.files import deliver
from jobs.labs.kit.lab import Facts, Lab

FRASES = ("Spark Streaming en el Severo Ochoa", "El Severo Ochoa está en Elche")
_WAIT_S = 20.0


def run(lab: Lab) -> Facts:
    """Facts: has (whether this Spark has DStream), dstream and structured (word -> count; dstream empty where there is none)."""
    structured = _structured(lab)
    found = _dstream(lab)
    if found is None:
        lab.say(f"Spark {pyspark.__version__} ya no trae DStream (pyspark.streaming)")
    else:
        lab.say(f"Spark {pyspark.__version__} trae DStream todavía, marcado como obsoleto")
    words = sorted(structured)
    lab.table(
        ("palabra", "Structured", "DStream"),
        [(word, structured[word], (found or {}).get(word, "-")) for word in words],
    )
    lab.say(
        "DStream trocea por reloj y reparte RDD; Structured Streaming usa el optimizador, tiempo de evento y checkpoints con exactly-once"
    )
    return {"has": found is not None, "structured": structured, "dstream": found or {}}


def _structured(lab: Lab) -> dict[str, int]:
    deliver(lab, "0.txt", FRASES)
    source = Folder("entrada", "text")
    counts: dict[str, int] = {}
    frame = palabras.contadas(lab.read(source))
    each = lambda batch, _: counts.update((row["palabra"], row["count"]) for row in batch.collect())  # noqa: E731 - as short as it reads
    query = lab.start(
        frame, Way(source, ForeachBatch(), "complete", state="aggregation"), "palabras", each=each
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
        warnings.simplefilter("ignore")  # it says itself that it is deprecated
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
