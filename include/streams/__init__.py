"""The registry: one file per stream, collected in sorted order. A broken file does not affect the others."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from jobs.contract.errors import BrokenStream, UnknownStream
from jobs.contract.nearest import hint
from jobs.contract.stream import Files, Published, Stream


def _load(name: str) -> Stream:
    try:
        module = importlib.import_module(f"{__name__}.{name}")
        stream = module.STREAM
    except (Exception, SystemExit) as error:  # whatever a file raises concerns its own stream only
        raise BrokenStream(f"{type(error).__name__}: {error}", f"include/streams/{name}.py") from error
    if not isinstance(stream, Stream) or stream.name != name:
        raise BrokenStream("STREAM must be a Stream named like its file", f"include/streams/{name}.py")
    return replace(stream, doc=(module.__doc__ or "").strip())


@cache
def collect() -> tuple[dict[str, Stream], tuple[BrokenStream, ...]]:
    """Streams by name, and an error for each file that does not load.

    If two streams read one folder, the later one is refused, because a folder feeds one stream.
    """
    streams: dict[str, Stream] = {}
    broken: list[BrokenStream] = []
    folders: dict[str, str] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        try:
            stream = _load(info.name)
            if stream.folder and stream.folder in folders:
                raise BrokenStream(
                    f"folder {stream.folder} already feeds {folders[stream.folder]}",
                    f"include/streams/{info.name}.py",
                )
        except BrokenStream as error:
            broken.append(error)
            continue
        streams[stream.name] = stream
        if stream.folder:
            folders[stream.folder] = stream.name
    return _linked(streams, broken), tuple(broken)


def _linked(streams: dict[str, Stream], broken: list[BrokenStream]) -> dict[str, Stream]:
    """Gives each stream that reads another one's output the format of that output.

    A stream that cannot read its source moves to `broken`, and so do its own readers: hence the loop.
    """
    while lost := next(
        ((name, why) for name, stream in streams.items() if (why := _why_not(streams, stream))), None
    ):
        del streams[lost[0]]
        broken.append(BrokenStream(lost[1], f"include/streams/{lost[0]}.py"))
    return {name: _with_files(streams, stream) for name, stream in streams.items()}


def _why_not(streams: Mapping[str, Stream], stream: Stream) -> str:
    """Why the source of `stream` cannot be read; empty if it can."""
    if stream.stateful and not stream.upstream:
        return (
            "strict reading keeps no state: publish the records with another stream, "
            "and read that one with source=Published(stream)"
        )
    seen = [stream.name]
    while upstream := stream.upstream:
        if upstream not in streams:
            return f"it reads what {upstream} publishes, and no stream of that name is registered and loads"
        if upstream in seen:
            return f"it reads itself, by way of {' and '.join(seen[1:])}"
        if not isinstance(streams[upstream].sink, Files):
            return f"{upstream} publishes no files: what it sends to its topic is read with source=Topic(…)"
        stream = streams[upstream]
        seen.append(upstream)
    return ""


def _with_files(streams: Mapping[str, Stream], stream: Stream) -> Stream:
    if not isinstance(stream.source, Published):
        return stream
    sink = streams[stream.source.stream].sink
    assert isinstance(sink, Files), stream.name  # noqa: S101 - _why_not has checked it
    return replace(stream, source=replace(stream.source, files=sink))


def get(name: str) -> Stream:
    """The stream `name`. Raises UnknownStream, or BrokenStream if its file does not load."""
    streams, broken = collect()
    if name in streams:
        return streams[name]
    for error in broken:
        if error.where == f"include/streams/{name}.py":
            raise error
    raise UnknownStream(f"no stream {name[:40]!r}{hint(name, streams)}", "include/streams/")


def chain(stream: Stream) -> list[Stream]:
    """From the stream that reads files or a topic, by way of each that reads the one before, to `stream`."""
    streams = [stream]
    while streams[0].upstream:
        streams.insert(0, get(streams[0].upstream))
    return streams


def origin(stream: Stream) -> Stream:
    """The stream that reads the files or the topic from which the rows of `stream` come."""
    return chain(stream)[0]


def readers(name: str) -> list[str]:
    """Streams that read what `name` publishes."""
    return [stream.name for stream in collect()[0].values() if stream.upstream == name]


def told_readers(name: str) -> list[str]:
    """A warning for each reader of `name`, for the plan of an operation that takes back published rows of `name`."""
    return [
        f"{reader} has read these rows and refuses to run until it is reset, too "
        f"(./caudal generation reset {reader})"
        for reader in readers(name)
    ]
