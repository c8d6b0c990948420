"""`new-stream` for sources and sinks that keep no account: its words -> a lab's row, program, domain function
and first test."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from include import streams
from include.scaffold import columns as typed
from include.scaffold import reading, write
from include.scaffold.columns import Column
from include.scaffold.naming import check_name, free_name
from include.scaffold.request import ABOUT, Words, as_usage, check_separator
from include.scaffold.write import NewFile
from jobs.contract.errors import UsageError
from jobs.contract.stream import Stream
from jobs.labs.declared import combinations, ends
from jobs.labs.declared.ends import Mode, Pipeline, State, Trigger
from jobs.labs.declared.lab import Lab

FROM = (
    "files:text|csv|json|parquet|orc|avro, kafka:TOPIC[:text|csv|json|avro], kafka:/PATTERN/, "
    "socket:PORT, rate:ROWS, table:NAME"
)
TO = (
    "files:…, topic:NAME[:text|csv|avro], console, memory:NAME, foreach, foreachBatch, "
    "table:NAME, delta:NAME, mongodb:DATABASE.COLLECTION:KEY"
)
_WORD = "a lab reads and writes"
_LABS_SOURCE = r"(socket|rate|table)(:.*)?|files:(text|parquet|orc|avro)|kafka:(/.*/|[^:]*:(text|avro))"
_LABS_SINK = r"(console|memory|foreach|foreachBatch|table|mongodb|delta)(:.*)?|files:(text|orc|avro)"


@dataclass(frozen=True)
class LabRequest:
    """`columns`: of files, topics and tables; a socket has value, rate has timestamp and value."""

    name: str
    about: str
    pipeline: Pipeline
    columns: tuple[Column, ...]

    @property
    def group(self) -> str:
        """The column that an aggregation groups by."""
        names = [column.name for column in self.columns]
        return key if (key := getattr(self.pipeline.sink, "key", "")) in names else names[0]

    @property
    def time(self) -> str:
        """The column that windows are made of; empty without one."""
        return next((column.name for column in self.columns if column.kind == "TimestampType"), "")

    @property
    def result(self) -> list[str]:
        """The columns that the transform returns."""
        by_state = {"aggregation": [self.group, "count"], "windowed": ["start", "end", "count"]}
        return by_state.get(self.pipeline.state, [column.name for column in self.columns])


@dataclass(frozen=True)
class Manner:
    """How a lab runs: the options beside its source and sink. Without a `trigger` it is available-now where
    the source has an end, else processing-time."""

    mode: str = "append"
    trigger: str = ""
    state: str = "none"


def wanted(words: Words) -> bool:
    """Whether the source or the sink is one that only labs have."""
    return (
        re.fullmatch(_LABS_SOURCE, words.source) is not None
        or re.fullmatch(_LABS_SINK, words.sink) is not None
    )


def check(
    words: Words, manner: Manner, root: Path, registry: Mapping[str, Stream], labs: Mapping[str, Lab]
) -> LabRequest:
    """Raises UsageError, which names the option that is wrong, and Refused for a pipeline that Spark cannot
    run."""
    check_name(words.name, root, registry, words.source)
    if words.name in labs or (root / "jobs" / "labs" / f"{words.name}.py").exists():
        free = free_name(words.name, root, registry, words.source)
        what = f"{words.name!r} cannot be the name: a lab of that name exists"
        raise UsageError(what, "NAME", cli=f"the name {free} is free")
    is_csv = words.source == "files:csv"
    reading.require_none(
        words.reading.said, "," if is_csv else words.separator, is_csv or words.header, "a lab"
    )
    with as_usage():
        pipeline = _pipeline(_source(words), _sink(words.sink), manner)
    combinations.require(pipeline, words.name)
    about = " ".join(words.about.split()) or f"De {pipeline.kinds[0]} a {pipeline.kinds[1]}."
    if words.about and not ABOUT.fullmatch(about):
        raise UsageError(
            'a line of 10 to 120 characters without " and \\ is expected',
            "--about",
            cli='--about "What this lab is for."',
        )
    request = LabRequest(words.name, about, pipeline, _columns(words, pipeline))
    _require_possible(request)
    return request


def _pipeline(source: ends.Source, sink: ends.Sink, manner: Manner) -> Pipeline:
    trigger = manner.trigger or (
        "processing-time" if isinstance(source, ends.Socket | ends.Rate) else "available-now"
    )
    for option, word, known in (
        ("mode", manner.mode, Mode),
        ("trigger", trigger, Trigger),
        ("state", manner.state, State),
    ):
        if word not in get_args(known):
            raise UsageError(f"{word[:30]!r} is none of {', '.join(get_args(known))}", f"--{option}")
    return Pipeline(source, sink, manner.mode, trigger, state=manner.state)  # type: ignore[arg-type]


def _require_possible(request: LabRequest) -> None:
    """Raises UsageError for windows without a time column, or a key that is not a column of the result."""
    if request.pipeline.state == "windowed" and not request.time:
        way_out = '--columns "…,at:timestamp", or --state aggregation'
        raise UsageError("windows need a column of type timestamp", "--columns", cli=way_out)
    key, columns = getattr(request.pipeline.sink, "key", ""), request.result
    if key and key not in columns:
        what = f"the key {key} is none of the columns {', '.join(columns)}"
        raise UsageError(what, "--to", cli="mongodb:DATABASE.COLLECTION:KEY names one of them")


def _columns(words: Words, pipeline: Pipeline) -> tuple[Column, ...]:
    if isinstance(pipeline.source, ends.Socket) or getattr(pipeline.source, "format", "") == "text":
        return (Column("value", "StringType"),)
    if isinstance(pipeline.source, ends.Rate):
        return (Column("timestamp", "TimestampType"), Column("value", "LongType"))
    return typed.parse(words.columns)


def _source(words: Words) -> ends.Source:
    kind, _, rest = words.source.partition(":")
    name, _, form = rest.partition(":")
    csv = (
        (("sep", check_separator(words.separator)), ("header", str(words.header).lower()))
        if rest == "csv"
        else ()
    )
    sources: dict[str, Any] = {
        "files": lambda: ends.Folder(format=rest, options=csv),  # type: ignore[arg-type]
        "kafka": lambda: (
            ends.Subscription(pattern=rest[1:-1])
            if rest[:1] == rest[-1:] == "/"
            else ends.Subscription((name,), format=form or "json")  # type: ignore[arg-type]
        ),
        "socket": lambda: ends.Socket(port=_number(rest or "9999")),
        "rate": lambda: ends.Rate(_number(rest or "1")),
        "table": lambda: ends.Table(rest),
    }
    if kind not in sources:
        raise UsageError(f"{_WORD} not from {words.source[:40]!r}", "--from", cli=f"one of {FROM}")
    return sources[kind]()  # type: ignore[no-any-return]


def _sink(text: str) -> ends.Sink:
    kind, _, rest = text.partition(":")
    place, _, key = rest.rpartition(":")
    database, _, collection = place.partition(".")
    sinks: dict[str, Any] = {
        "files": lambda: ends.Folder("salida", rest),  # type: ignore[arg-type]
        "topic": lambda: ends.Subscription(
            (rest.partition(":")[0],),
            format=rest.partition(":")[2] or "json",  # type: ignore[arg-type]
        ),
        "console": ends.Console,
        "memory": lambda: ends.Memory(rest),
        "foreach": ends.Foreach,
        "foreachBatch": ends.ForeachBatch,
        "table": lambda: ends.Table(rest),
        "delta": lambda: ends.Delta(rest or "tabla"),
        "mongodb": lambda: ends.Mongo(database, collection, key),
    }
    if kind not in sinks or (kind == "mongodb" and not (database and collection and key)):
        raise UsageError(f"{_WORD} not to {text[:40]!r}", "--to", cli=f"one of {TO}")
    return sinks[kind]()  # type: ignore[no-any-return]


def _number(text: str) -> int:
    if not text.isdigit() or len(text) > 9:
        raise UsageError(f"{text[:20]!r} is not a number", "--from", cli=f"one of {FROM}")
    return int(text)


def plan(request: LabRequest, root: Path) -> tuple[NewFile, ...]:
    """The four files, the row last. Writes nothing. Raises Refused when one of them exists with other
    content."""
    name = request.name
    places = {
        "lab_domain": root / "jobs" / "domain" / f"{name}.py",
        "lab_test": root / "tests" / "jobs" / "labs" / f"test_{name}.py",
        "lab_job": root / "jobs" / "labs" / "propios" / f"{name}.py",
        "lab_row": root / "include" / "labs" / "rows" / "propios" / f"{name}.py",
    }
    return write.rendered(
        places,
        _values(request),
        lambda: free_name(name, root, streams.collect()[0], request.pipeline.kinds[0]),
    )


def _values(request: LabRequest) -> dict[str, object]:
    pipeline = request.pipeline
    return {
        "name": request.name,
        "about": request.about,
        "kinds": pipeline.kinds,
        "pipeline": _call(pipeline),
        "ends": sorted({type(end).__name__ for end in (pipeline.source, pipeline.sink)} | {"Pipeline"}),
        "columns": request.columns,
        "types": sorted({"StructType", *(column.kind for column in request.columns)}),
        "needs_schema": isinstance(pipeline.source, ends.Folder | ends.Subscription)
        and getattr(pipeline.source, "format", "") != "text",
        "each": {"Foreach": "foreach", "ForeachBatch": "batch", "Mongo": "mongo"}.get(
            type(pipeline.sink).__name__, ""
        ),
        "state": pipeline.state,
        "time": request.time,
        "group": request.group,
        "group_at": [column.name for column in request.columns].index(request.group),
        "made": request.result,
        "made_source": list(request.result),
        **write.sample_values(request.columns),
    }


def _call(pipeline: Pipeline) -> str:
    """The code of the Pipeline in the row; defaults are left out."""
    parts = [write.end_row(pipeline.source), write.end_row(pipeline.sink)]
    default = Pipeline(pipeline.source, pipeline.sink)
    parts += [
        f'{name}="{getattr(pipeline, name)}"'
        for name in ("mode", "trigger", "state")
        if getattr(pipeline, name) != getattr(default, name)
    ]
    return f"Pipeline({', '.join(parts)})"
