"""The Spark session of one run, and the settings that make small, frequent runs cheap. JVM options are the
launcher's business."""

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
    # the default names kafka, too: its v1 sink writes where no Observation sees the rows, and the counts of a
    # batch never arrive
    "spark.sql.sources.useV1SourceList": "avro,csv,json,orc,parquet,text",
    # files are staged and renamed by publish: a second rename and a _SUCCESS file would only cost
    "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "2",
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    "spark.sql.redaction.options.regex": "(?i)url|secret|password|token|jaas|keystore|access[.]?key",
}
# Each use of a column asks the JVM six times to note the line it stands in: in a small run 775 names are
# looked up, 306 without; half a second of CPU
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
        except Exception as error:  # a session that is dead already must not hide why it died
            print(f"caudal: Spark did not stop cleanly: {type(error).__name__}", file=sys.stderr, flush=True)
