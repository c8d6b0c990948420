"""A stream as the registry declares it: source, sink and options. Frozen values, checked when they are
constructed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, get_args

from jobs.contract.disk.layout import is_name
from jobs.contract.stream import partial_names, value_formats
from jobs.contract.stream.policies import Checks, Limits, Thresholds, Upkeep, require

Format = Literal["json", "csv", "parquet"]
ValueFormat = Literal["text", "json", "csv", "avro"]  # of a Kafka message
Delivery = Literal["exactly-once", "at-least-once"]
Mode = Literal["append", "complete", "update"]
_COLUMNS = ("by-name", "in-order", "by-position")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


def is_separator(text: str) -> bool:
    """Whether `text` may separate csv fields."""
    return len(text) == 1 and text not in '\r\n"'


def _require_spelling(end: Files | Topic, where: str) -> None:
    require(end.decimal in (".", ","), f"decimal={end.decimal!r} is not . or ,", where)
    require(end.decimal == "." or end.format == "csv", "decimal is for csv: JSON has a point", where)
    for why in (
        end.date_format and value_formats.unfit_date(end.date_format),
        end.timestamp_format and value_formats.unfit_timestamp(end.timestamp_format),
        value_formats.unfit_zone(end.timezone),
    ):
        require(not why, why, where)


@dataclass(frozen=True)
class Files:
    """Files with one record on each line, as source or sink. `folder`: the source's folder under entrada;
    default: the stream's name.

    `settle_s`: seconds for which a file must stay unchanged before it is claimed. `duplicates`: what happens
    to a file with the content of an admitted one; `take` is for sources whose equal files are different
    deliveries. `under_way`: endings of files that are still being delivered, in addition to those in
    docs/files.md.

    Of a csv source:

    - `separator`: the character between two fields.
    - `header`: the first line of each file names its columns.
    - `columns`: columns are found by name, or must also be in the schema's order, or are found by position.
    - `missing_columns`: a file without such a column is refused, or the column is null.
    - `extra_columns`: a file with such a column is refused, or read without it.
    - `decimal`: the decimal mark in numbers.
    - `multiline`: a quoted field may contain line ends. Files are then read whole
      (`Limits.whole_file_bytes`).

    `date_format`, `timestamp_format`: patterns such as `dd/MM/yyyy` for dates and times in text (csv, JSON
    strings); empty: ISO 8601. `timezone`: zone of times that have none.
    """

    format: Format = "json"
    folder: str = ""
    settle_s: float = 2.0
    separator: str = ","
    header: bool = True
    duplicates: Literal["refuse", "take"] = "refuse"
    columns: Literal["by-name", "in-order", "by-position"] = "by-name"
    missing_columns: Literal["refuse", "null"] = "refuse"
    extra_columns: Literal["refuse", "ignore"] = "refuse"
    decimal: Literal[".", ","] = "."
    date_format: str = ""
    timestamp_format: str = ""
    timezone: str = "UTC"
    multiline: bool = False
    under_way: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(
            self.format in ("json", "csv", "parquet"),
            f"unknown format {self.format!r} (json, csv, parquet)",
            "Files",
        )
        require(not self.folder or is_name(self.folder), f"unsafe folder name {self.folder!r}", "Files")
        require(0 <= self.settle_s <= 3600, f"settle_s={self.settle_s} is not within 0 and 3600 s", "Files")
        require(
            self.duplicates in ("refuse", "take"),
            f"duplicates={self.duplicates!r} is not refuse or take",
            "Files",
        )
        require(is_separator(self.separator), f"separator {self.separator!r} is not one character", "Files")
        require(not (why := partial_names.fault(self.under_way, self.format)), why, "Files")
        for name, known in (
            ("columns", _COLUMNS),
            ("missing_columns", ("refuse", "null")),
            ("extra_columns", ("refuse", "ignore")),
        ):
            value = getattr(self, name)
            require(value in known, f"{name}={value!r} is not one of {', '.join(known)}", "Files")
            by_header = value == known[0] or (self.format == "csv" and self.header)
            require(by_header, f"{name}={value!r} needs csv files with a header", "Files")
        _require_spelling(self, "Files")
        require(type(self.multiline) is bool, f"multiline={self.multiline!r} is not True or False", "Files")
        require(
            self.format == "csv" or not self.multiline,
            f"multiline is for csv: a record of {self.format} never spans lines",
            "Files",
        )

    @property
    def multiline_separator(self) -> bytes:
        """The separator if csv records may span lines; empty if every line is a record."""
        return self.separator.encode() if self.multiline else b""


@dataclass(frozen=True)
class Topic:
    """A Kafka topic. As a source, `decimal`, `date_format`, `timestamp_format` and `timezone` are those of
    Files.

    As a sink, `key` names the column that becomes the message key; the other columns become the value.

    `config`: settings of the topic at its creation (`retention.ms`…). `delivery` of a sink: exactly-once with
    Kafka transactions, for consumers that set isolation.level=read_committed; or at-least-once with Spark's
    own sink.
    """

    name: str
    format: Literal["json", "csv"] = "json"
    key: str = ""
    partitions: int = 3
    config: tuple[tuple[str, str], ...] = ()
    delivery: Delivery = "exactly-once"
    decimal: Literal[".", ","] = "."
    date_format: str = ""
    timestamp_format: str = ""
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        require(
            _TOPIC.fullmatch(self.name) is not None and self.name not in (".", ".."),
            f"unsafe topic name {self.name!r}",
            "Topic",
        )
        require(self.format in ("json", "csv"), f"unknown format {self.format!r} (json, csv)", self.name)
        require(
            1 <= self.partitions <= 1000, f"partitions={self.partitions} is not within 1 and 1000", self.name
        )
        require(
            self.delivery in get_args(Delivery),
            f"unknown delivery {self.delivery!r} ({', '.join(get_args(Delivery))})",
            self.name,
        )
        _require_spelling(self, self.name)


@dataclass(frozen=True)
class Published:
    """The rows that another registered stream has published. A stateful stream has such a source, because
    those records are already checked.

    `files`: format of those files; the registry fills it from the other stream's sink.
    """

    stream: str
    files: Files = field(default_factory=Files)

    def __post_init__(self) -> None:
        require(is_name(self.stream), f"unsafe stream name {self.stream!r}", "Published")

    @property
    def format(self) -> Format:
        return self.files.format


Source = Files | Topic | Published


@dataclass(frozen=True)
class Stream:
    """One row of the registry. `schedule`: a cron expression, or None for runs by hand only. `lease_wait_s`:
    seconds for which a task waits for a lease that another run holds.

    `stateful`: the transform keeps state between batches. Then a rollover drops the state, and a rewind is
    refused. `close_windows`: each run ends by publishing the windows that are still open; rows that arrive
    later for them are dropped as late.
    """

    name: str
    source: Source
    sink: Files | Topic
    limits: Limits = field(default_factory=Limits)
    checks: Checks = field(default_factory=Checks)
    thresholds: Thresholds = field(default_factory=Thresholds)
    schedule: str | None = "*/5 * * * *"
    upkeep: Upkeep = field(default_factory=Upkeep)
    stateful: bool = False
    mode: Mode = "append"
    close_windows: Literal["by-watermark", "end-of-run"] = "by-watermark"
    lease_wait_s: int = 600
    retries: int = 2
    tags: tuple[str, ...] = ()
    doc: str = ""

    def __post_init__(self) -> None:
        require(
            is_name(self.name), f"unsafe stream name {self.name!r}: lower-case letters, digits, _", "Stream"
        )
        require(
            not (isinstance(self.source, Files) and self.source.format == "parquet"),
            "a source is json or csv",
            self.name,
        )
        require(
            not (isinstance(self.sink, Topic) and not self.sink.key),
            "a topic sink needs key=COLUMN",
            self.name,
        )
        require(
            not (isinstance(self.sink, Files) and self.sink.multiline),
            "multiline is for a source; a sink needs no such option",
            self.name,
        )
        require(
            len({t.name for t in self.topics}) == len(self.topics),
            "a stream that writes the topic it reads never ends",
            self.name,
        )
        _require_whole_batches(self)
        require(
            self.lease_wait_s >= 0 and self.retries >= 0,
            "lease_wait_s and retries cannot be negative",
            self.name,
        )

    @property
    def folder(self) -> str:
        """The source's folder under entrada; empty for a Kafka source."""
        return (self.source.folder or self.name) if isinstance(self.source, Files) else ""

    @property
    def upstream(self) -> str:
        """The stream whose published rows this one reads; empty for one that reads raw records."""
        return self.source.stream if isinstance(self.source, Published) else ""

    @property
    def topics(self) -> tuple[Topic, ...]:
        return tuple(end for end in (self.source, self.sink) if isinstance(end, Topic))

    @property
    def transactional(self) -> bool:
        """Whether the sink is a topic that is written in Kafka transactions."""
        return isinstance(self.sink, Topic) and self.sink.delivery == "exactly-once"

    @property
    def tokens(self) -> Topic | None:
        """The topic that records what this stream has sent; None for a stream that needs none."""
        # A topic for each stream: an open transaction of another stream would hide this one's tokens. One
        # partition, so that the newest token is beyond doubt. Compacted, so that the newest token of each id
        # is kept for ever; Kafka compacts only closed segments, so a segment is closed after an hour.
        config = (("cleanup.policy", "compact"), ("segment.ms", "3600000"))
        return (
            Topic(f"caudal-tokens-{self.name}", partitions=1, config=config) if self.transactional else None
        )

    @property
    def guarantee(self) -> str:
        """What readers of the output can rely on."""
        if not isinstance(self.sink, Topic):
            return "exactly-once"
        return (
            "exactly-once (for consumers with isolation.level=read_committed)"
            if self.transactional
            else "at-least-once (Spark's Kafka sink)"
        )


# Published batches are final, so only append is possible. What to use instead where the result must change:
_NOT_APPEND = {
    "complete": "each batch would publish the whole result again beside the older ones; use mode='append' "
    "with a watermark, so that each window is published once, when it is over, or a console or memory sink "
    "in a lab",
    "update": "a row that changed would stand in two batches, and no reader could tell which is valid; use "
    "mode='append' with a watermark, or a lab whose foreachBatch updates rows by key",
}


def _require_whole_batches(row: Stream) -> None:
    require(row.mode in get_args(Mode), f"unknown mode {row.mode!r} ({', '.join(get_args(Mode))})", row.name)
    require(
        row.mode == "append",
        f"mode={row.mode!r} cannot be published: {_NOT_APPEND.get(row.mode, '')}",
        row.name,
    )
    known = row.close_windows in ("by-watermark", "end-of-run")
    require(known, f"close_windows={row.close_windows!r} is not by-watermark or end-of-run", row.name)
    require(
        row.close_windows == "by-watermark" or row.stateful,
        "close_windows needs stateful=True: without state no window is open",
        row.name,
    )
    if isinstance(row.source, Published):
        require(row.source.stream != row.name, "a stream cannot read what it publishes itself", row.name)
        require(row.checks == Checks(), f"checks belong to {row.upstream}, which reads the records", row.name)
        require(isinstance(row.sink, Files), "a stream that reads a published one writes files", row.name)
