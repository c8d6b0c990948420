"""The Spark session of one run, with settings that make small, frequent runs cheap. The launcher sets the JVM
options."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pyspark.sql import SparkSession

_CHECKPOINT_MANAGER = (
    "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
)

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    # 200 is 20 times slower on small data, and a stateful query pins the number of its first run
    "spark.sql.shuffle.partitions": "4",
    # the default forks 43 processes a batch on a local disk: 320 -> 165 ms a batch
    "spark.sql.streaming.checkpointFileManagerClass": _CHECKPOINT_MANAGER,
    # listing 5,000 files by a Spark job of its own costs 13-24 s a batch
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "100000",
    # 157 -> 3 output files for many small inputs
    "spark.sql.files.openCostInBytes": "65536",
    # the default includes kafka, but no Observation sees the rows that its v1 sink writes, so the counts of a
    # batch would never arrive
    "spark.sql.sources.useV1SourceList": "avro,csv,json,orc,parquet,text",
    # files are staged and renamed by publish: a second rename and a _SUCCESS file would only cost
    "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "2",
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    "spark.sql.redaction.options.regex": "(?i)url|secret|password|token|jaas|keystore|access[.]?key",
}
# By default each use of a column calls the JVM six times to note its line of code. Without that, a small run
# looks up 306 names instead of 775, and saves half a second of CPU.
UNTRACED = {"spark.python.sql.dataFrameDebugging.enabled": "false"}


def start(name: str, settings: Mapping[str, str] = SETTINGS) -> SparkSession:
    """The session; master and JVM settings come from spark-submit."""
    builder = SparkSession.builder.appName(name)
    for key, value in settings.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


@contextmanager
def opened(name: str) -> Iterator[SparkSession]:
    """The session of a job, stopped at the end."""
    spark = start(name, SETTINGS | UNTRACED)
    try:
        yield spark
    finally:
        try:
            spark.stop()
        except Exception as error:  # a dead session must not hide why it died
            print(f"caudal: Spark did not stop cleanly: {type(error).__name__}", file=sys.stderr, flush=True)
