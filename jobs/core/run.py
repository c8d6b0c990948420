"""One run of one stream, inside the Spark driver: spec in, published batches and a report out. The exit code
is the report's."""

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

_PUBLISH_WAIT_S = (
    10.0  # a killed run's Python driver is gone within 0.3 s; a slow disk may hold it a little longer
)
_CAUSE = re.compile(r"(Caused by: )?[A-Za-z_][\w.$]*(Error|Exception)\b: ")
_MOVED = (
    "this home was moved or copied: Spark knows its files by the old path; move it back, or ./caudal "
    "generation rollover STREAM"
)
_OTHER_STATE = "the state of this generation was made by another transform"
# What Spark and Kafka say when a foreseen thing happened below them.
_FORESEEN: tuple[tuple[str, type[CaudalError], str], ...] = (
    ("No space left on device", DiskFull, "the disk is full"),
    ("Disk quota exceeded", DiskFull, "the disk quota is used up"),
    ("UnknownTopicOrPartitionException", TopicMissing, "the broker has no such topic"),
    ("FAIL_ON_DATA_LOSS", OffsetsLost, "offsets this stream still had to read are gone"),
    ("KAFKA_DATA_LOSS", OffsetsLost, "offsets this stream still had to read are gone"),
    ("Some data may have been lost", OffsetsLost, "offsets this stream still had to read are gone"),
    ("AuthorizationException", ConfigError, "the login may not do on the broker what this stream needs"),
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
        "a row of one column is null, and a blank line is no row to most readers of csv",
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
    """Runs the stream that `--spec PATH` describes, once over what is available now, and exits with its
    ExitCode."""
    parser = argparse.ArgumentParser(description="A Caudal job. The launcher starts it: ./caudal run STREAM")
    parser.add_argument("--spec", type=Path, required=True, help="spec.json of this run")
    path: Path = parser.parse_args(argv).spec
    processes.die_with_parent(os.getppid())
    sys.exit(
        int(
            execute(RunSpec.from_json(path.read_bytes(), path), Subject(schema, dict(rules or {})), transform)
        )
    )


def execute(spec: RunSpec, subject: Subject, transform: Transform) -> ExitCode:
    """As main, under the publish lock. Writes report.json whatever happens."""
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
    if error:
        error = _explained(error, spec)
        error.name_stream(spec.stream.name)
    done = _final(layout, spec, query, error, time.monotonic() - begin)
    try:
        _write(layout, done)
    except CaudalError as full:  # without a report the run reads as died; the next one reports its batches
        processes.tell(f"caudal: {full}")
        return full.exit_code
    processes.tell(f"caudal: {_line(done.error)}" if done.error else _summary(done, layout))
    return ExitCode(done.exit_code)


def stream(spark: SparkSession, spec: RunSpec, subject: Subject, transform: Transform) -> dict[str, Any]:
    """Runs the query over what is available now; returns its id and lag. Raises the publisher's own error
    where there is one."""
    require_known(subject, spec.stream)
    done = _query(spark, spec, subject, transform, availableNow=True)
    lag = _lag(done.lastProgress)
    failpoints.hit("committed")
    checkpoint = Layout(Path(spec.home)).checkpoint(spec.stream.name, spec.generation)
    if spec.close_windows and windows.plan_closing(
        spark, checkpoint, int(time.time() * 1000), spec.stream.name
    ):
        failpoints.hit("closing")
        _query(spark, spec, subject, transform, once=True)  # the batch that is planned, and no other
    return {"query_id": str(done.id), "lag_records": lag}


def _query(
    spark: SparkSession, spec: RunSpec, subject: Subject, transform: Transform, **trigger: Any
) -> StreamingQuery:
    """A query of the stream, run to its end. Raises the publisher's own error where there is one."""
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
    """`publisher`, which tells of each batch when it stands; of the first one it is said that it begins, too:
    Spark has been silent so far."""
    told: list[int] = []

    def publish(frame: DataFrame, batch: int) -> None:
        if not told:
            print(f"batch {batch} begins", flush=True)
        told.append(batch)
        publisher(frame, batch)

    return publish


def _ends(
    spark: SparkSession, spec: RunSpec, subject: Subject, transform: Transform
) -> tuple[Publisher, DataFrame]:
    """What publishes each batch, and the frame it is given."""
    if spec.stream.upstream:
        return Downstream(spec, subject, transform, spark=spark), downstream.read(
            spark, spec, subject, transform
        )
    return Publisher(spec, subject, transform), sources.read(spark, spec)


def _lag(progress: Any) -> int:
    """Kafka records that came after this run's end was fixed; 0 for files."""
    sources_ = (progress or {}).get("sources", []) if isinstance(progress, dict) else []
    return sum(
        int(float(s.get("metrics", {}).get("maxOffsetsBehindLatest", 0) or 0))
        for s in sources_
        if isinstance(s.get("metrics"), dict)
    )


def foreseen(error: Exception, log: Path) -> CaudalError:
    """The named error behind what Spark threw, looked for in the text of its causes; RunFailed when it is
    none of them."""
    text = str(error)
    for needle, kind, what in _FORESEEN:
        if needle in text:
            return kind(what, log)
    return RunFailed(f"{type(error).__name__}: {_cause(text)[:300]}", log)


def _explained(error: CaudalError, spec: RunSpec) -> CaudalError:
    """A broker that did not answer: with the addresses it sends its clients to, where they cannot be reached
    from here."""
    if type(error) not in (BrokerDown, ServiceError) or not spec.bootstrap:
        return error
    from confluent_kafka.admin import AdminClient

    with suppress(CaudalError):  # the properties are gone meanwhile: the error at hand is the one to tell
        found = advertised.explained(
            BrokerDown(error.what, error.where), AdminClient, connection.of_run(spec).librdkafka()
        )
        return found if isinstance(found, BrokerUnreachable) else error
    return error


def _cause(text: str) -> str:
    """The innermost cause: Spark tells a failed function as the last `Error: …` line of several traces, its
    own words come first."""
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
    """As CaudalError's own text."""
    where = f" [{error['where']}]" if error["where"] else ""
    return " ".join(f"{error['code']}: {error['what']}{where} -> {error['cli']}".split())


def _since(started: str) -> float:
    """Seconds since the launcher began; 0 when the clock was set back meanwhile."""
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
