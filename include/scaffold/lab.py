"""The words of `new-stream` for ends that keep no account -> a lab: its row, program, domain function and first test."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from include.scaffold import columns as typed
from include.scaffold import write
from include.scaffold.columns import Column
from include.scaffold.request import ABOUT, Words, check_name
from include.scaffold.write import NewFile
from jobs.contract import combinations, ends
from jobs.contract.ends import Mode, State, Trigger, Way
from jobs.contract.errors import BrokenStream, UsageError
from jobs.contract.lab import Lab
from jobs.contract.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

FROM = "files:text|csv|json|parquet|orc|avro, kafka:TOPIC[:text|csv|json|avro], kafka:/PATTERN/, socket:PORT, rate:ROWS, table:NAME"
TO = "files:…, topic:NAME, console, memory:NAME, foreach, foreachBatch, table:NAME, mongodb:DATABASE.COLLECTION:KEY"
_WORD = "a lab reads and writes"
_LABS_SOURCE = r"(socket|rate|table)(:.*)?|files:(text|parquet|orc|avro)|kafka:(/.*/|[^:]*:(text|avro))"
_LABS_SINK = r"(console|memory|foreach|foreachBatch|table|mongodb)(:.*)?|files:(text|orc|avro)"


@dataclass(frozen=True)
class LabRequest:
    """`columns`: of files, topics and tables; a socket has value, rate has timestamp and value."""

    name: str
    about: str
    way: Way
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Manner:
    """How a lab goes: what was typed beside its ends."""

    mode: str = "append"
    trigger: str = "available-now"
    state: str = "none"


def wanted(words: Words) -> bool:
    """Whether an end is one that no stream has."""
    return re.fullmatch(_LABS_SOURCE, words.source) is not None or re.fullmatch(_LABS_SINK, words.sink) is not None


def check(words: Words, manner: Manner, root: Path, registry: Mapping[str, Stream], labs: Mapping[str, Lab]) -> LabRequest:
    """Raises UsageError naming the option that cannot be, Refused for a way that Spark cannot go."""
    check_name(words.name, root, registry)
    if words.name in labs or (root / "jobs" / "labs" / f"{words.name}.py").exists():
        raise UsageError(f"{words.name!r} cannot be the name: a lab of that name exists", "NAME", cli="choose another name")
    for option, word, known in (("mode", manner.mode, Mode), ("trigger", manner.trigger, Trigger), ("state", manner.state, State)):
        if word not in get_args(known):
            raise UsageError(f"{word[:30]!r} is none of {', '.join(get_args(known))}", f"--{option}")
    with _as_usage():
        way = Way(_source(words.source), _sink(words.sink), manner.mode, manner.trigger, state=manner.state)  # type: ignore[arg-type]
    combinations.require(way, words.name)
    about = " ".join(words.about.split()) or f"De {way.kinds[0]} a {way.kinds[1]}."
    if words.about and not ABOUT.fullmatch(about):
        raise UsageError('a line of 10 to 120 characters without " and \\ is expected', "--about", cli='--about "What this lab is for."')
    return LabRequest(words.name, about, way, _columns(words, way))


def _columns(words: Words, way: Way) -> tuple[Column, ...]:
    if isinstance(way.source, ends.Socket) or getattr(way.source, "format", "") == "text":
        return (Column("value", "StringType"),)
    if isinstance(way.source, ends.Rate):
        return (Column("timestamp", "TimestampType"), Column("value", "LongType"))
    return typed.parse(words.columns)


def _source(text: str) -> ends.Source:
    kind, _, rest = text.partition(":")
    name, _, form = rest.partition(":")
    made: dict[str, Any] = {
        "files": lambda: ends.Folder(format=rest),  # type: ignore[arg-type]
        "kafka": lambda: ends.Subscription(pattern=rest[1:-1]) if rest[:1] == rest[-1:] == "/" else ends.Subscription((name,), format=form or "json"),  # type: ignore[arg-type]
        "socket": lambda: ends.Socket(port=_number(rest or "9999")),
        "rate": lambda: ends.Rate(_number(rest or "1")),
        "table": lambda: ends.Table(rest),
    }
    if kind not in made:
        raise UsageError(f"{_WORD} not from {text[:40]!r}", "--from", cli=f"one of {FROM}")
    return made[kind]()  # type: ignore[no-any-return]


def _sink(text: str) -> ends.Sink:
    kind, _, rest = text.partition(":")
    place, _, key = rest.rpartition(":")
    database, _, collection = place.partition(".")
    made: dict[str, Any] = {
        "files": lambda: ends.Folder("salida", rest),  # type: ignore[arg-type]
        "topic": lambda: ends.Subscription((rest.partition(":")[0],)),
        "console": ends.Console,
        "memory": lambda: ends.Memory(rest),
        "foreach": ends.Foreach,
        "foreachBatch": ends.ForeachBatch,
        "table": lambda: ends.Table(rest),
        "mongodb": lambda: ends.Mongo(database, collection, key),
    }
    if kind not in made or (kind == "mongodb" and not (database and collection and key)):
        raise UsageError(f"{_WORD} not to {text[:40]!r}", "--to", cli=f"one of {TO}")
    return made[kind]()  # type: ignore[no-any-return]


def _number(text: str) -> int:
    if not text.isdigit() or len(text) > 9:
        raise UsageError(f"{text[:20]!r} is not a number", "--from", cli=f"one of {FROM}")
    return int(text)


@contextmanager
def _as_usage() -> Iterator[None]:
    try:
        yield
    except BrokenStream as error:
        raise UsageError(error.what, error.where, cli="./caudal new-stream --help") from None


def plan(request: LabRequest, root: Path) -> tuple[NewFile, ...]:
    """The four files, the row last; read-only. Raises Refused when one of them is there with another text."""
    name = request.name
    places = {
        "lab_domain": root / "jobs" / "domain" / f"{name}.py",
        "lab_test": root / "tests" / "jobs" / "labs" / f"test_{name}.py",
        "lab_job": root / "jobs" / "labs" / f"{name}.py",
        "lab_row": root / "include" / "labs" / f"{name}.py",
    }
    return write.rendered(places, _values(request))


def _values(request: LabRequest) -> dict[str, object]:
    way = request.way
    return {
        "name": request.name,
        "about": request.about,
        "kinds": way.kinds,
        "way": _call(way),
        "ends": sorted({type(end).__name__ for end in (way.source, way.sink)} | {"Way"}),
        "columns": request.columns,
        "types": sorted({"StructType", *(column.kind for column in request.columns)}),
        "needs_schema": isinstance(way.source, ends.Folder | ends.Subscription) and getattr(way.source, "format", "") != "text",
        "each": {"Foreach": "foreach", "ForeachBatch": "batch", "Mongo": "mongo"}.get(type(way.sink).__name__, ""),
        "names": [column.name for column in request.columns],
        **write.sample_values(request.columns),
    }


def _call(way: Way) -> str:
    """The Way as the row writes it: defaults are left out."""
    parts = [write.end_row(way.source), write.end_row(way.sink)]
    default = Way(way.source, way.sink)
    parts += [f'{name}="{getattr(way, name)}"' for name in ("mode", "trigger", "state") if getattr(way, name) != getattr(default, name)]
    return f"Way({', '.join(parts)})"
