"""The registry: one file a stream, collected in sorted order; a broken one never takes the others down."""

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
    except (Exception, SystemExit) as error:  # whatever a stranger's file raises belongs to that file alone
        raise BrokenStream(f"{type(error).__name__}: {error}", f"include/streams/{name}.py") from error
    if not isinstance(stream, Stream) or stream.name != name:
        raise BrokenStream("STREAM must be a Stream named like its file", f"include/streams/{name}.py")
    return replace(stream, doc=(module.__doc__ or "").strip())


@cache
def collect() -> tuple[dict[str, Stream], tuple[BrokenStream, ...]]:
    """(streams by name, what would not load). Two streams on one folder: the later one is refused."""
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
    """Each stream that reads another one's output learns how that is written. One that cannot read is moved to `broken`, and so are its readers."""
    while lost := next(
        ((name, why) for name, stream in streams.items() if (why := _why_not(streams, stream))), None
    ):
        del streams[lost[0]]
        broken.append(BrokenStream(lost[1], f"include/streams/{lost[0]}.py"))
    return {name: _with_files(streams, stream) for name, stream in streams.items()}


def _why_not(streams: Mapping[str, Stream], stream: Stream) -> str:
    """Why the source of `stream` cannot be read; empty when it can."""
    if stream.stateful and not stream.upstream:
        return "strict reading keeps no state: publish the records with a stream of their own, and read it with source=Published(stream)"
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
    assert isinstance(sink, Files), stream.name  # noqa: S101 - _why_not has seen to that
    return replace(stream, source=replace(stream.source, files=sink))


def get(name: str) -> Stream:
    """The stream `name`. Raises UnknownStream, or BrokenStream when its file does not load."""
    streams, broken = collect()
    if name in streams:
        return streams[name]
    for error in broken:
        if error.where == f"include/streams/{name}.py":
            raise error
    raise UnknownStream(f"no stream {name[:40]!r}{hint(name, streams)}", "include/streams/")


def chain(stream: Stream) -> list[Stream]:
    """`stream` last, before it the one whose output it reads, and so on; the first reads files or a topic."""
    found = [stream]
    while found[0].upstream:
        found.insert(0, get(found[0].upstream))
    return found


def origin(stream: Stream) -> Stream:
    """The stream that reads the files or the topic of which `stream` gets its rows."""
    return chain(stream)[0]


def readers(name: str) -> list[str]:
    """Streams that read what `name` publishes."""
    return [stream.name for stream in collect()[0].values() if stream.upstream == name]


def told_readers(name: str) -> list[str]:
    """For the plan of an operation that takes rows of `name` back, which its records give again: a sentence for each of its readers."""
    return [
        f"{one} has read these rows and refuses to run until it is reset, too (./caudal generation reset {one})"
        for one in readers(name)
    ]
