"""Checks what was typed to `new-stream`, and turns it into a request. Reads the registry and the checkout;
changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from include.scaffold import columns as typed
from include.scaffold import reading
from include.scaffold.columns import Column
from include.scaffold.naming import check_name
from include.scaffold.reading import Reading
from jobs.contract.errors import BrokenStream, UsageError
from jobs.contract.nearest import hint
from jobs.contract.stream import Files, Format, Published, Source, Stream, Topic

FROM = "files:json, files:csv, kafka:TOPIC, kafka:TOPIC:csv"
TO = "files:json, files:parquet, files:csv, topic:NAME:KEYCOLUMN"
_CRON = re.compile(r"(?:[0-9*/,-]+ ){4}[0-9*/,-]+")
ABOUT = re.compile(r"[^\"\\\x00-\x1f\x7f]{10,120}")
_SEPARATOR = re.compile(r"[\t!#$%&*+./:;<=>?@^_`|~,-]")


@dataclass(frozen=True)
class Request:
    """`stream.doc` is its one-line description. `required`: columns that a record must have, or it is
    refused."""

    stream: Stream
    columns: tuple[Column, ...]
    required: tuple[str, ...]


@dataclass(frozen=True)
class Words:
    """What was typed. `columns`: `name:type,…`. `required`: names; empty for the key, or else the first
    column. `schedule`: a cron expression, or `none`."""

    name: str
    source: str
    sink: str
    columns: str
    required: tuple[str, ...] = ()
    separator: str = ","
    header: bool = True
    folder: str = ""
    schedule: str = "*/5 * * * *"
    about: str = ""
    reading: Reading = field(default_factory=Reading)


def check(words: Words, root: Path, registry: Mapping[str, Stream]) -> Request:
    """Raises UsageError with the option that is wrong."""
    check_name(words.name, root, registry, words.source)
    columns = typed.parse(words.columns)
    sink = _sink(words.sink, registry)
    stream = _stream(words, sink, registry)
    if stream.folder in {other.folder for other in registry.values()} - {""}:
        raise UsageError(
            f"the folder {stream.folder} feeds another stream", "--folder", cli="choose a folder of its own"
        )
    key = sink.key if isinstance(sink, Topic) else ""
    _check_key(key, columns)
    return Request(stream, columns, _required(words.required, key, columns))


def _stream(words: Words, sink: Files | Topic, registry: Mapping[str, Stream]) -> Stream:
    source = _source(words, registry)
    schedule = None if words.schedule.lower() == "none" else " ".join(words.schedule.split())
    if schedule is not None and not _CRON.fullmatch(schedule):
        raise UsageError(
            f"{words.schedule!r} is not a cron expression of five fields",
            "--schedule",
            cli='--schedule "*/5 * * * *", or none',
        )
    about = (
        " ".join(words.about.split())
        or f"Records of {words.name} from {describe(source)} to {describe(sink)}."
    )
    if words.about and not ABOUT.fullmatch(about):
        raise UsageError(
            'a line of 10 to 120 characters without " and \\ is expected',
            "--about",
            cli='--about "What this stream is for."',
        )
    with as_usage():
        return Stream(words.name, source, sink, schedule=schedule, doc=about)


def _source(words: Words, registry: Mapping[str, Stream]) -> Files | Topic:
    plain = _plain_source(words, registry)
    if not (isinstance(plain, Files) and plain.format == "csv"):
        reading.require_none({}, words.separator, words.header, describe(plain))
    return reading.apply(words.reading.said, plain)


def _plain_source(words: Words, registry: Mapping[str, Stream]) -> Files | Topic:
    """The source without its options about spelling and columns."""
    kind, _, rest = words.source.partition(":")
    if kind == "files" and rest in ("json", "csv"):
        folder = "" if words.folder == words.name else words.folder
        with as_usage():
            if rest == "csv":
                return Files("csv", folder, separator=check_separator(words.separator), header=words.header)
            return Files("json", folder)
    name, _, form = rest.partition(":")
    if kind == "kafka" and name and form in ("", "json", "csv"):
        return _topic(name, form or "json", "", registry)
    raise UsageError(
        f"cannot read from {words.source!r}{hint(words.source, FROM.split(', '))}",
        "--from",
        cli=f"one of {FROM}",
    )


def check_separator(text: str) -> str:
    """The separator itself. Raises UsageError."""
    if not _SEPARATOR.fullmatch(text):
        raise UsageError(f"{text!r} is not a punctuation mark or a tab", "--separator", cli="--separator ';'")
    return text


def _sink(text: str, registry: Mapping[str, Stream]) -> Files | Topic:
    kind, _, rest = text.partition(":")
    forms: dict[str, Format] = {"json": "json", "csv": "csv", "parquet": "parquet"}
    if kind == "files" and rest in forms:
        return Files(forms[rest])
    name, _, key = rest.partition(":")
    if kind == "topic" and name and key and ":" not in key:
        return _topic(name, "json", key, registry)
    raise UsageError(f"cannot write to {text!r}{hint(text, TO.split(', '))}", "--to", cli=f"one of {TO}")


def _topic(name: str, form: str, key: str, registry: Mapping[str, Stream]) -> Topic:
    """If another stream declares the topic, its partitions and settings are kept: two streams may not declare
    one differently."""
    known = next(
        (topic for stream in registry.values() for topic in stream.topics if topic.name == name), None
    )
    with as_usage():
        made = Topic(name, "csv" if form == "csv" else "json", key)
    return replace(made, partitions=known.partitions, config=known.config) if known else made


@contextmanager
def as_usage() -> Iterator[None]:
    """Turns what a row refuses when it is created into a usage error."""
    try:
        yield
    except BrokenStream as error:
        raise UsageError(error.what, error.where, cli="./caudal new-stream --help") from None


def _check_key(key: str, columns: tuple[Column, ...]) -> None:
    names = [column.name for column in columns]
    if key and key not in names:
        raise UsageError(
            f"the key {key} is not one of the columns {', '.join(names)}",
            "--to",
            cli="topic:NAME:KEYCOLUMN names one of --columns",
        )
    if key and len(names) == 1:
        raise UsageError(
            "the key is the only column, so the message would be empty",
            "--columns",
            cli="name one more column",
        )


def _required(asked: tuple[str, ...], key: str, columns: tuple[Column, ...]) -> tuple[str, ...]:
    names = [column.name for column in columns]
    if unknown := sorted(set(asked) - set(names)):
        raise UsageError(
            f"{unknown[0]} is not one of the columns {', '.join(names)}",
            "--required",
            cli="name columns of --columns",
        )
    wanted = {*asked, key} if key else set(asked)
    return tuple(name for name in names if name in wanted) or (names[0],)


def describe(end: Source) -> str:
    """One end in words: `json files`, `topic facturas`."""
    if isinstance(end, Published):
        return f"rows that {end.stream} has published"
    return f"topic {end.name}" if isinstance(end, Topic) else f"{end.format} files"
