"""Where a lab reads and writes: Spark's own sources and sinks, as the course shows them. They keep no
account; the Files and Topic of a stream's declaration do.

A `Pipeline` joins a source and a sink with an output mode, a trigger and what the transform keeps between
batches. `combinations.verdict` says whether Spark can run it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from jobs.contract.errors import BrokenStream
from jobs.contract.stream import ValueFormat as ValueFormat

FileFormat = Literal["text", "csv", "json", "parquet", "orc", "avro"]
Mode = Literal["append", "update", "complete"]
Trigger = Literal["default", "processing-time", "once", "available-now", "continuous"]
State = Literal["none", "aggregation", "windowed"]  # windowed: aggregation or deduplication under a watermark
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,62}")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_COLLECTION = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}")


def _require(condition: bool, what: str, where: object) -> None:
    if not condition:
        raise BrokenStream(what, where)


def _limit(value: int | None, name: str) -> None:
    _require(value is None or value > 0, f"{name}={value} is not above 0", "Folder")


@dataclass(frozen=True)
class Folder:
    """A folder below the lab's own. As a source it is Spark's file source, without intake.

    `infer`: the schema comes from the files that are there at the start, with a warning. `max_files` and
    `max_bytes` limit a batch, and exclude each other. `options`: more options of the reader.
    """

    path: str = "entrada"
    format: FileFormat = "json"
    infer: bool = False
    max_files: int | None = None
    max_bytes: int | None = None
    latest_first: bool = False
    options: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        _require(
            self.format in get_args(FileFormat),
            f"unknown format {self.format!r} ({', '.join(get_args(FileFormat))})",
            "Folder",
        )
        _require(
            re.fullmatch(r"[a-z][a-z0-9_]{0,62}", self.path) is not None,
            f"unsafe folder {self.path!r}",
            "Folder",
        )
        _require(
            not (self.max_files and self.max_bytes), "Spark takes max_files or max_bytes, not both", "Folder"
        )
        _limit(self.max_files, "max_files")
        _limit(self.max_bytes, "max_bytes")


@dataclass(frozen=True)
class Subscription:
    """Kafka topics. As a source it has `topics` or `pattern`, a regular expression of names.

    `start`: earliest, latest, {topic: {partition: offset}}, or a timestamp in ms since 1970 to read from.
    """

    topics: tuple[str, ...] = ()
    pattern: str = ""
    start: str | int | dict[str, dict[str, int]] = "earliest"
    format: ValueFormat = "json"
    max_records: int | None = None

    def __post_init__(self) -> None:
        _require(bool(self.topics) != bool(self.pattern), "topics or pattern, one of the two", "Subscription")
        for topic in self.topics:
            _require(_TOPIC.fullmatch(topic) is not None, f"no topic can be called {topic!r}", "Subscription")
        _require(
            self.format in get_args(ValueFormat),
            f"unknown format {self.format!r} ({', '.join(get_args(ValueFormat))})",
            "Subscription",
        )
        known = not isinstance(self.start, str) or self.start in ("earliest", "latest")
        _require(
            known,
            f"start={self.start!r} is not earliest, latest, offsets or a timestamp in ms",
            "Subscription",
        )


@dataclass(frozen=True)
class Socket:
    """Lines of text from a listening socket. Nothing is kept: what was read and not finished is lost."""

    host: str = "127.0.0.1"
    port: int = 9999

    def __post_init__(self) -> None:
        _require(_HOST.fullmatch(self.host) is not None, f"unsafe host {self.host!r}", "Socket")
        _require(1 <= self.port <= 65535, f"port={self.port} is not within 1 and 65535", "Socket")


@dataclass(frozen=True)
class Rate:
    """Rows of timestamp and value (0, 1, 2…), `rows_per_second` of them."""

    rows_per_second: int = 1

    def __post_init__(self) -> None:
        _require(self.rows_per_second > 0, f"rows_per_second={self.rows_per_second} is not above 0", "Rate")


@dataclass(frozen=True)
class Table:
    """A table of the session's catalog, read or appended to."""

    name: str

    def __post_init__(self) -> None:
        _require(_TABLE.fullmatch(self.name) is not None, f"unsafe table name {self.name!r}", "Table")


@dataclass(frozen=True)
class Console:
    rows: int = 20
    truncate: bool = True


@dataclass(frozen=True)
class Memory:
    """A temporary view `name`, in the driver's memory."""

    name: str

    def __post_init__(self) -> None:
        _require(_TABLE.fullmatch(self.name) is not None, f"unsafe table name {self.name!r}", "Memory")


@dataclass(frozen=True)
class Foreach:
    """The lab's own function, called for each row."""


@dataclass(frozen=True)
class ForeachBatch:
    """The lab's own function, called for each batch."""


@dataclass(frozen=True)
class Mongo:
    """A MongoDB collection. `key` is the column whose value becomes the document's _id, so a batch that comes
    again changes nothing."""

    database: str
    collection: str
    key: str

    def __post_init__(self) -> None:
        for name in (self.database, self.collection):
            _require(
                _COLLECTION.fullmatch(name) is not None,
                f"unsafe name {name!r} of a database or collection",
                "Mongo",
            )


@dataclass(frozen=True)
class Delta:
    """A Delta table in a folder below the lab's own."""

    path: str = "tabla"

    def __post_init__(self) -> None:
        _require(_TABLE.fullmatch(self.path) is not None, f"unsafe folder {self.path!r}", "Delta")


Source = Folder | Subscription | Socket | Rate | Table
Sink = Folder | Subscription | Table | Console | Memory | Foreach | ForeachBatch | Mongo | Delta


@dataclass(frozen=True)
class Pipeline:
    """What a lab's query reads and writes, and how. `interval` belongs to the triggers processing-time and
    continuous, in Spark's own form."""

    source: Source
    sink: Sink
    mode: Mode = "append"
    trigger: Trigger = "available-now"
    interval: str = "2 seconds"
    state: State = "none"

    @property
    def kinds(self) -> tuple[str, str]:
        """Source and sink as `combinations` names them."""
        return kind(self.source), kind(self.sink)


_KINDS: dict[Any, str] = {
    Folder: "files",
    Subscription: "kafka",
    Socket: "socket",
    Rate: "rate",
    Table: "table",
    Console: "console",
    Memory: "memory",
    Foreach: "foreach",
    ForeachBatch: "foreachBatch",
    Mongo: "mongodb",
    Delta: "delta",
}
_TYPES = {end.__name__: end for end in _KINDS}


def kind(end: Any) -> str:
    """A source or sink as `combinations` names it."""
    return _KINDS[type(end)]


def to_values(pipeline: Pipeline) -> dict[str, Any]:
    """The pipeline as JSON values; `from_values` reads them."""
    ends = {
        side: {"end": type(end).__name__, **asdict(end)}
        for side, end in (("source", pipeline.source), ("sink", pipeline.sink))
    }
    return {**asdict(pipeline), **ends}


def from_values(raw: Mapping[str, Any]) -> Pipeline:
    """Raises BrokenStream, KeyError or TypeError when `raw` is not a pipeline."""
    return Pipeline(**{**raw, "source": _end(raw["source"]), "sink": _end(raw["sink"])})


def _end(raw: Mapping[str, Any]) -> Any:
    values = {key: value for key, value in raw.items() if key != "end"}
    tuples = {
        key: tuple(tuple(v) if isinstance(v, list) else v for v in value)
        for key, value in values.items()
        if isinstance(value, list)
    }
    return _TYPES[raw["end"]](**values | tuples)
