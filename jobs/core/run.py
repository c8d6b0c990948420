"""One run of one stream, inside the Spark driver: from spec.json to published batches and report.json.

The exit code is that of the report.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import StreamingQuery
from pyspark.sql.types import StructType

from jobs.contract.disk import failpoints, processes, storage
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import (
    BrokenStream,
    BrokerDown,
    BrokerUnreachable,
    CaudalError,
    ConfigError,
    DiskFull,
    ExitCode,
    LeaseHeld,
    NoCsvForm,
    OffsetsLost,
    PairingBroken,
    RunFailed,
    ServiceError,
    StateUnusable,
    TopicMissing,
)
from jobs.contract.kafka import advertised, connection
from jobs.contract.run import account, report, thresholds
from jobs.contract.run.report import Report
from jobs.contract.run.spec import RunSpec
from jobs.core import session, windows
from jobs.core.read import sources
from jobs.core.read.records import Subject, require_known
from jobs.core.write import downstream, sinks
from jobs.core.write.downstream import Downstream
from jobs.core.write.publish import Publisher, Transform

# Seconds. The Python driver of a killed run is gone within 0.3 s; a slow disk may keep it a little longer.
_PUBLISH_WAIT_S = 10.0
_CAUSE = re.compile(r"(Caused by: )?[A-Za-z_][\w.$]*(Error|Exception)\b: ")
_MOVED = (
    "this home was moved or copied, but Spark knows its files by the old path; move it back, or ./caudal "
    "generation rollover STREAM"
)
_LOST = "offsets that this stream has not read yet are gone"
_OTHER_STATE = "the state of this generation was made by another transform"
# Texts in the exceptions of Spark and Kafka, and what they mean. The first one that matches counts, so
# general ones are last.
_FORESEEN: tuple[tuple[str, type[CaudalError], str], ...] = (
    ("No space left on device", DiskFull, "the disk is full"),
    ("Disk quota exceeded", DiskFull, "the disk quota is used up"),
    ("UnknownTopicOrPartitionException", TopicMissing, "the broker has no such topic"),
    ("FAIL_ON_DATA_LOSS", OffsetsLost, _LOST),
    ("KAFKA_DATA_LOSS", OffsetsLost, _LOST),
    ("Some data may have been lost", OffsetsLost, _LOST),
    ("AuthorizationException", ConfigError, "the login has too few rights on the broker for this stream"),
    ("Wrong basePath", PairingBroken, _MOVED),
    ("CANNOT_LOAD_STATE_STORE", StateUnusable, "a file of the state is gone or cannot be read"),
    ("STATE_STORE_KEY_SCHEMA_NOT_COMPATIBLE", StateUnusable, _OTHER_STATE),
    ("STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE", StateUnusable, _OTHER_STATE),
    ("STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA", StateUnusable, _OTHER_STATE),
    (
        "STREAMING_OUTPUT_MODE",
        BrokenStream,
        "what is published is final: an aggregation needs withWatermark(…) and its window in groupBy",
    ),
    (
        "CSV_LONE_NULL",
        NoCsvForm,
        "a row of one column is null, and most readers of csv skip a blank line",
    ),
    ("TimeoutException", ServiceError, "the broker did not answer in time"),
)


def main(
    *,
    schema: StructType,
    transform: Transform,
    rules: Mapping[str, str] | None = None,
    argv: Sequence[str] | None = None,
) -> NoReturn:
    """Runs the stream of `--spec PATH` once over what is available now, and exits with an ExitCode.

    `schema`: of the source's records. `transform`: accepted records -> rows of the sink. `rules`: code -> SQL
    condition that is true for a record that breaks the rule.
    """
    parser = argparse.ArgumentParser(description="A Caudal job. The launcher starts it: ./caudal run STREAM")
    parser.add_argument("--spec", type=Path, required=True, help="spec.json of this run")
    path: Path = parser.parse_args(argv).spec
    # The parent is the JVM. If it is killed, this process must not go on to publish without the lease.
    processes.die_with_parent(os.getppid())
    spec = RunSpec.from_json(path.read_bytes(), path)
    sys.exit(int(execute(spec, Subject(schema, dict(rules or {})), transform)))


def execute(spec: RunSpec, subject: Subject, transform: Transform) -> ExitCode:
    """Runs the stream under the publish lock. Writes report.json in any case."""
    layout = Layout(Path(spec.home))
    begin = time.monotonic()
    error: CaudalError | None = None
    query: dict[str, Any] = {}
    lock = processes.wait_lock(layout.publish_lock(spec.stream.name), _PUBLISH_WAIT_S)
    try:
        if lock is None:
            raise LeaseHeld(
                "another driver of this stream is still publishing", layout.publish_lock(spec.stream.name)
            )
        with session.opened(f"caudal-{spec.stream.name}") as spark:
            print(f"Spark is ready after {_since(spec.started):.1f} s; planning the first batch", flush=True)
            query = stream(spark, spec, subject, transform)
    except CaudalError as caught:
        error = caught
    except Exception as caught:
        _keep_trace(layout, spec)
        error = foreseen(caught, layout.run(spec.stream.name, spec.run_id) / "driver.log")
    # The report is written after Spark has stopped and under the publish lock: nobody publishes any more.
    if error:
        error = _explained(error, spec)
        error.name_stream(spec.stream.name)
    done = _final(layout, spec, query, error, time.monotonic() - begin)
    try:
        _write(layout, done)
    except (
        CaudalError
    ) as full:  # without its report the run shows as died, and the next one reports its batches
        processes.tell(f"caudal: {full}")
        return full.exit_code
    processes.tell(f"caudal: {_line(done.error)}" if done.error else _summary(done, layout))
    return ExitCode(done.exit_code)


def stream(spark: SparkSession, spec: RunSpec, subject: Subject, transform: Transform) -> dict[str, Any]:
    """Runs the query over what is available now. Returns its id and lag. Raises the publisher's error if
    there is one, else Spark's."""
    require_known(subject, spec.stream)
    done = _query(spark, spec, subject, transform, availableNow=True)
    lag = _lag(done.lastProgress)
    failpoints.hit("committed")
    checkpoint = Layout(Path(spec.home)).checkpoint(spec.stream.name, spec.generation)
    if spec.close_windows and windows.write_closing_batch(
        spark, checkpoint, int(time.time() * 1000), spec.stream.name
    ):
        failpoints.hit("closing")
        # once and not availableNow: only the planned batch should run, although new input may have arrived
        _query(spark, spec, subject, transform, once=True)
    return {"query_id": str(done.id), "lag_records": lag}


def _query(
    spark: SparkSession, spec: RunSpec, subject: Subject, transform: Transform, **trigger: Any
) -> StreamingQuery:
    """Runs a query of the stream to its end. Raises the publisher's error if there is one, else Spark's."""
    publisher, frame = _ends(spark, spec, subject, transform)
    checkpoint = Layout(Path(spec.home)).checkpoint(spec.stream.name, spec.generation)
    writer = (
        frame.writeStream.queryName(spec.stream.name)
        .foreachBatch(_announced(publisher))
        .option("checkpointLocation", str(checkpoint))
    )
    try:
        query = writer.trigger(**trigger).start()
        query.awaitTermination()
    except Exception as error:
        if isinstance(publisher.failure, CaudalError):
            raise publisher.failure from error
        raise
    return query


def _announced(publisher: Publisher) -> Callable[[DataFrame, int], None]:
    """`publisher`, but prints a line when the first batch begins: until then the log shows nothing for
    seconds."""
    begun: list[int] = []

    def publish(frame: DataFrame, batch: int) -> None:
        if not begun:
            print(f"batch {batch} begins", flush=True)
        begun.append(batch)
        publisher(frame, batch)

    return publish


def _ends(
    spark: SparkSession, spec: RunSpec, subject: Subject, transform: Transform
) -> tuple[Publisher, DataFrame]:
    """The publisher of each batch, and the streaming frame that it gets."""
    if spec.stream.upstream:
        return Downstream(spec, subject, transform, spark=spark), downstream.read(
            spark, spec, subject, transform
        )
    return Publisher(spec, subject, transform), sources.read(spark, spec)


def _lag(progress: Any) -> int:
    """The number of Kafka records that arrived after Spark fixed the end of this run; 0 for files."""
    sources_ = (progress or {}).get("sources", []) if isinstance(progress, dict) else []
    return sum(
        int(float(s.get("metrics", {}).get("maxOffsetsBehindLatest", 0) or 0))
        for s in sources_
        if isinstance(s.get("metrics"), dict)
    )


def foreseen(error: Exception, log: Path) -> CaudalError:
    """The foreseen error behind an exception of Spark, found by its text; RunFailed when there is none."""
    text = str(error)
    for needle, kind, what in _FORESEEN:
        if needle in text:
            return kind(what, log)
    return RunFailed(f"{type(error).__name__}: {_cause(text)[:300]}", log)


def _explained(error: CaudalError, spec: RunSpec) -> CaudalError:
    """`error`, or BrokerUnreachable when the broker's advertised addresses are the reason why it did not
    answer."""
    if type(error) not in (BrokerDown, ServiceError) or not spec.bootstrap:
        return error
    from confluent_kafka.admin import AdminClient

    with suppress(CaudalError):  # the properties file is gone meanwhile: report the first error
        options = connection.of_run(spec).librdkafka()
        reason = advertised.explained(BrokerDown(error.what, error.where), AdminClient, options)
        return reason if isinstance(reason, BrokerUnreachable) else error
    return error


def _cause(text: str) -> str:
    """The line of the innermost cause. Spark shows several traces: its own text comes first, and the last
    line of the form `Error: …` is the cause."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = [line for line in lines if _CAUSE.match(line)]
    return causes[-1].removeprefix("Caused by: ") if causes else next(iter(lines), "no message")


def _write(layout: Layout, done: Report) -> None:
    """Raises DiskFull, NotWritable."""
    path = layout.run(done.stream, done.run_id) / "report.json"
    with storage.disk_errors(path):
        storage.replace(path, done.to_json())


def _keep_trace(layout: Layout, spec: RunSpec) -> None:
    with (
        suppress(OSError),
        (layout.run(spec.stream.name, spec.run_id) / "driver.log").open("a", encoding="utf-8") as log,
    ):
        traceback.print_exc(file=log)


def _final(
    layout: Layout, spec: RunSpec, query: Mapping[str, Any], error: CaudalError | None, took_s: float
) -> Report:
    ended = replace(
        report.of(spec, "failed" if error else "done", round(_since(spec.started) or took_s, 3)),
        query_id=query.get("query_id", ""),
        exit_code=int(error.exit_code) if error else 0,
        error=error.to_json() if error else None,
        lag_records=int(query.get("lag_records", 0)),
    )
    published = report.with_published(ended, layout.output(spec.stream.name, spec.generation))
    settled = account.settle(published, layout, spec.stream, spec.reported_through, sinks.parquet_rows)
    return thresholds.judged(settled, spec.stream)


def _line(error: Mapping[str, Any]) -> str:
    """The error of a report in one line, as CaudalError prints it."""
    where = f" [{error['where']}]" if error["where"] else ""
    return " ".join(f"{error['code']}: {error['what']}{where} -> {error['cli']}".split())


def _since(started: str) -> float:
    """Seconds since the launcher started; 0 when the clock was set back meanwhile."""
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(started)).total_seconds())


def _summary(done: Report, layout: Layout) -> str:
    where = (
        " (each with its reason: "
        f"{layout.refused_records(done.stream, done.generation, done.last_batch).parent})"
        if done.quarantined
        else ""
    )
    counts = f"{done.records_in} records in, {done.rows_out} rows out, {done.quarantined} quarantined{where}"
    counts += f", at least {done.dropped_late} dropped as late" if done.dropped_late else ""
    return f"{done.stream}: {len(done.batches)} batches, {counts}, {done.duration_s:.1f} s"
