"""What a lab works with inside the Spark driver: its session, its folder, its options, a graceful end, and
output for a person to read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pyspark import SparkContext
from pyspark.logger import PySparkLogger
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import StreamingQuery
from pyspark.sql.types import StructType

from jobs.contract import deadline
from jobs.contract.errors import BrokerDown, RunFailed
from jobs.contract.kafka import connection, properties
from jobs.contract.kafka.connection import Connection
from jobs.core.write.sinks import packed
from jobs.labs.declared import castellano
from jobs.labs.declared.castellano import cuantos
from jobs.labs.declared.ends import Pipeline, Source, Subscription
from jobs.labs.declared.lab import LabSpec, Value
from jobs.labs.kit import sinks, sources
from jobs.labs.kit.topics import Topics

_POLL_S = 0.1
# How long the terminal stays silent after a query is cut short. Its tasks end within milliseconds; tasks of
# another query may go on, so waiting for all of them needs a limit.
_LAST_WORDS_S = 2.0
_PYTHON_LOGGER = (
    "DataFrameQueryContextLogger"  # writes 20 KB of trace in one line for each error in an expression
)
_LOGGERS = (
    "org.apache.spark",
    "org.apache.spark.util.Utils",
)  # the second has its own level in conf/log4j2.properties
Facts = dict[str, Any]


@dataclass
class Lab:
    """One run of one lab. `say` prints a line; a test passes its own. `folder` belongs to this run alone, and
    the lab touches nothing outside it."""

    spark: SparkSession
    folder: Path
    options: Mapping[str, Value] = field(default_factory=dict)
    broker: Connection | None = None
    say: Callable[[str], None] = lambda text: print(text, flush=True)
    pipeline: Pipeline | None = None
    jars: tuple[str, ...] = ()
    stop_file: Path | None = None
    ui: str = ""

    def path(self, *parts: str) -> Path:
        return self.folder.joinpath(*parts)

    def text(self, option: str) -> str:
        return str(self.options[option])

    def number(self, option: str) -> int:
        return int(self.options[option])

    @property
    def kafka(self) -> Mapping[str, str]:
        """Connection options of Spark's Kafka source and sink; none without a broker."""
        return self.broker.spark() if self.broker else {}

    @property
    def topics(self) -> Topics:
        """The topics of this lab. Raises BrokerDown when the lab's row does not ask for a broker."""
        if self.broker is None:
            raise BrokerDown(
                "este laboratorio se ha arrancado sin Kafka",
                self.folder,
                cli="./caudal up; después, otra vez el laboratorio",
            )
        return Topics(self.broker, self.folder.name)

    @property
    def stopping(self) -> bool:
        """Whether Ctrl-C asked the lab to end."""
        return self.stop_file is not None and self.stop_file.exists()

    def pause(self, seconds: float) -> None:
        """Keeps Spark's UI open for `seconds`, or until Ctrl-C."""
        if seconds and self.ui:
            self.say(f"la interfaz de Spark sigue abierta {seconds:g} s: {self.ui} (Ctrl-C la cierra)")
        deadline.until(lambda: self.stopping, seconds, _POLL_S)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Aligned plain columns."""
        for line in aligned(columns, rows):
            self.say(line)

    @contextmanager
    def settings(self, **values: object) -> Iterator[None]:
        """Sets session settings inside the block, and restores the old ones after it. A dot in a name is
        written as two underscores."""
        names = {name.replace("__", "."): str(value) for name, value in values.items()}
        before = {name: self.spark.conf.get(name, None) for name in names}
        for name, value in names.items():
            self.spark.conf.set(name, value)
        try:
            yield
        finally:
            for name, old in before.items():
                self.spark.conf.unset(name) if old is None else self.spark.conf.set(name, old)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Silences Spark's own log inside the block, where something fails on purpose and the lab itself says
        so."""
        log4j = self.spark._jvm.org.apache.logging.log4j
        levels = {name: log4j.LogManager.getLogger(name).getLevel() for name in _LOGGERS}
        for name in levels:
            log4j.core.config.Configurator.setLevel(name, log4j.Level.OFF)
        python = PySparkLogger.getLogger(_PYTHON_LOGGER)
        was_disabled, python.disabled = python.disabled, True
        try:
            yield
        finally:
            python.disabled = was_disabled
            for name, before in levels.items():
                log4j.core.config.Configurator.setLevel(name, before)

    def read(self, source: Source, schema: StructType | None = None) -> DataFrame:
        """A streaming frame of the source, as sources.open_end returns it."""
        return sources.open_end(self.spark, source, folder=self.folder, kafka=self.kafka, schema=schema)

    def start(
        self, frame: DataFrame, pipeline: Pipeline, name: str, *, each: Any = None, checkpoint: str = ""
    ) -> StreamingQuery:
        """Starts writing `frame` into the pipeline's sink, as query `name`.

        `each`: the function of foreach and foreachBatch. The checkpoint is `checkpoints/<checkpoint or
        name>`. Raises Refused for a pipeline that Spark cannot run.
        """
        castellano.require(pipeline, name)
        return sinks.start(
            frame,
            pipeline,
            name,
            folder=self.folder,
            kafka=self.kafka,
            each=each,
            checkpoint=checkpoint or name,
        )

    def go(
        self, transform: Callable[[DataFrame], DataFrame], schema: StructType | None = None, each: Any = None
    ) -> Facts:
        """Runs the lab's declared pipeline from end to end, for the option `seconds` where it does not end by
        itself.

        Facts: batches and rows read, or epochs for the continuous trigger.
        """
        pipeline = self.pipeline
        assert pipeline is not None  # noqa: S101 - the row declares one
        frame = self.read(pipeline.source, schema)
        if isinstance(pipeline.source, Subscription) and schema is not None:
            frame = sources.values(frame, pipeline.source.format, schema)
        rows = transform(frame)
        if isinstance(pipeline.sink, Subscription):
            rows = rows.select(packed(rows, pipeline.sink.format).alias("value"))
        query = self.start(rows, pipeline, "lab", each=each)
        self.follow(query, seconds=float(self.options.get("seconds", 0)))
        if pipeline.trigger == "continuous":  # Spark keeps no progress of epochs: their commits are counted
            commits = self.path("checkpoints", "lab", "commits").glob("[0-9]*")
            epochs = 1 + max((int(path.name) for path in commits), default=-1)
            self.say(f"{cuantos(epochs, 'época')}; no dicen cuántas filas han leído")
            return {"epochs": epochs}
        progress = [p for p in query.recentProgress if p["numInputRows"]]
        rows_read = sum(p["numInputRows"] for p in progress)
        self.say(f"{cuantos(len(progress), 'batch')}, {cuantos(rows_read, 'fila leída', 'filas leídas')}")
        return {"batches": len(progress), "rows": rows_read}

    def follow(
        self, *queries: StreamingQuery, seconds: float = 0, until: Callable[[], bool] | None = None
    ) -> None:
        """Waits until all queries have ended, one has failed, `seconds` are over (0: no limit), `until`
        holds, or Ctrl-C.

        Then stops each that still runs, after the batch that it is in. Raises RunFailed with Spark's own
        words when one has failed.
        """
        until_s = time.monotonic() + seconds if seconds else float("inf")
        try:
            while any(q.isActive for q in queries) and not self.stopping and time.monotonic() < until_s:
                if (until and until()) or any(q.exception() for q in queries):
                    break
                time.sleep(_POLL_S)
        finally:
            for query in queries:
                stop(query)
        for query in queries:
            if error := query.exception():
                what = f"{query.name}: {' '.join(str(error).split())[:300]}"
                way_out = "lee el driver.log nombrado; después, otra vez el laboratorio"
                raise RunFailed(what, self.folder / "driver.log", cli=way_out)


def stop(query: StreamingQuery, wait_s: float = 30.0) -> None:
    """Stops a query between two batches, or after `wait_s` in the middle of one."""
    deadline.until(lambda: not (query.isActive and query.status["isTriggerActive"]), wait_s, _POLL_S / 5)
    if query.isActive:
        with cut_short_in_silence():
            query.stop()


@contextmanager
def cut_short_in_silence() -> Iterator[None]:
    """Keeps the traces of tasks that are killed inside the block off the terminal; driver.log has them.

    Such tasks fail with interrupted reads and writes.
    """
    context = SparkContext._active_spark_context
    appender = context and context._jvm.org.apache.logging.log4j.LogManager.getContext(
        False
    ).getConfiguration().getAppender("console")
    if not appender:  # a session that was not started by the launcher
        yield
        return
    silence = context._jvm.org.apache.logging.log4j.core.filter.DenyAllFilter.newBuilder().build()
    appender.addFilter(silence)
    try:
        yield
        executors = context._jsc.sc().statusTracker().getExecutorInfos
        idle = lambda: not any(e.numRunningTasks() for e in executors())  # noqa: E731 - as short as it reads
        deadline.until(idle, _LAST_WORDS_S, _POLL_S / 5)
    finally:
        appender.removeFilter(silence)


def aligned(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """A table as lines; columns of numbers are aligned right."""
    cells = [[_cell(value) for value in row] for row in rows]
    indices = range(len(columns))
    widths = [max(len(row[i]) for row in [list(columns), *cells]) for i in indices]
    numeric = [bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in indices]
    lines = [list(columns), ["-" * width for width in widths], *cells]
    justify = [str.rjust if is_numeric else str.ljust for is_numeric in numeric]
    return ["  ".join(justify[i](line[i], widths[i]) for i in indices).rstrip() for line in lines]


def _cell(value: object) -> str:
    text = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def of(spark: SparkSession, spec: LabSpec) -> Lab:
    """The lab of one run, from its spec."""
    broker = None
    if spec.bootstrap:
        options = properties.read(Path(spec.kafka_properties)) if spec.kafka_properties else {}
        broker = connection.from_properties(spec.bootstrap, options, spec.kafka_properties)
    ui = (spark.sparkContext.uiWebUrl or "") if spec.ui_port else ""
    lab = Lab(spark, Path(spec.folder), spec.options, broker, pipeline=spec.pipeline, jars=spec.jars)
    return replace(lab, stop_file=spec.stop, ui=ui)
