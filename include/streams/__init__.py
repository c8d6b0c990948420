"""The registry: one file a stream, collected in sorted order; a broken one never takes the others down."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace
from functools import cache

from jobs.contract.errors import BrokenStream, UnknownStream
from jobs.contract.stream import Stream


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
                raise BrokenStream(f"folder {stream.folder} already feeds {folders[stream.folder]}", f"include/streams/{info.name}.py")
        except BrokenStream as error:
            broken.append(error)
            continue
        streams[stream.name] = stream
        if stream.folder:
            folders[stream.folder] = stream.name
    return streams, tuple(broken)


def get(name: str) -> Stream:
    """The stream `name`. Raises UnknownStream, or BrokenStream when its file does not load."""
    streams, broken = collect()
    if name in streams:
        return streams[name]
    for error in broken:
        if error.where == f"include/streams/{name}.py":
            raise error
    raise UnknownStream(f"no stream {name!r}", "include/streams/")
