"""Puts files into a stream's entrada: whole, under a free name, or not at all.

A file is written under a hidden name in the same folder, which intake ignores. It gets its own name by link,
which never overwrites.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from include.samples import facturas, feed
from include.settings import Settings
from jobs.contract.disk import storage
from jobs.contract.errors import Refused, UsageError
from jobs.contract.stream import Files, Stream, Topic, partial_names

_MAX_SUFFIX = 10_000


@dataclass(frozen=True)
class Put:
    """`wished` differs from the name of `path` if that name was taken, or is one that intake ignores."""

    path: Path
    wished: str
    size_bytes: int

    @property
    def renamed(self) -> bool:
        return self.path.name != self.wished


def file(settings: Settings, stream: Stream, source: Path) -> Put:
    """Copies `source` into the stream's entrada; the copy's mtime is now. Raises UsageError, Refused,
    UnsafePath, DiskFull, NotWritable."""
    check(stream, source)

    def copy(target: BinaryIO) -> None:
        with source.open("rb") as data:
            shutil.copyfileobj(data, target, storage.COPY_BYTES)

    return _place(settings, stream, source.name, copy)


def lines(settings: Settings, stream: Stream, name: str, documents: Iterable[str]) -> Put:
    """Writes a new file with one document per line. Raises Refused for a stream that reads a topic,
    UnsafePath, DiskFull, NotWritable."""
    _require_files(stream)
    return _place(
        settings, stream, name, lambda target: target.writelines(f"{d}\n".encode() for d in documents)
    )


def samples(
    settings: Settings, stream: Stream, count: int, seed: int, start_ms: int, files: int = 1
) -> list[Put]:
    """Puts `count` generated invoices into `files` new files of nearly equal size. Raises the same as
    `lines`."""
    return spread(
        settings, stream, f"facturas-{seed}.json", facturas.documents(count, seed, start_ms), count, files
    )


def spread(
    settings: Settings, stream: Stream, name: str, documents: Iterator[str], count: int, files: int
) -> list[Put]:
    """Puts `count` documents into `files` new files of nearly equal size, numbered before the ending of
    `name`. Raises the same as `lines`."""
    stem, dot, ending = name.rpartition(".")
    sizes = [count // files + (number < count % files) for number in range(files)]
    return [
        lines(settings, stream, f"{stem}-{n}{dot}{ending}", islice(documents, size))
        for n, size in enumerate(sizes, 1)
    ]


def check(stream: Stream, source: Path) -> None:
    """Raises what `file` would raise: UsageError, or Refused for a stream that reads a topic. Read-only."""
    _require_files(stream)
    if source.is_symlink() and source.is_file():
        raise UsageError(
            "a link; put the file that it points to",
            source,
            cli=f"./caudal put {stream.name} {shlex.quote(str(source.resolve()))}",
        )
    if source.is_dir():
        raise UsageError("a folder; put takes files", source, cli=_of_folder(stream, source))
    if not source.exists():
        raise UsageError("no such file", source, cli="check the path")
    if not source.is_file():
        raise UsageError("not a regular file", source, cli="put takes regular files only")
    if not os.access(source, os.R_OK):
        raise UsageError("the file cannot be read", source, cli="give yourself permission to read it")


def _of_folder(stream: Stream, folder: Path) -> str:
    """The command for the folder's files; with a pattern only if all of them can be put."""
    plain = (
        [storage.is_regular(path) for path in folder.iterdir()]
        if os.access(folder, os.R_OK | os.X_OK)
        else []
    )
    pattern = "*" if plain and all(plain) else "FILE"
    return f"./caudal put {stream.name} {shlex.quote(str(folder))}/{pattern}" + (
        "" if plain else ", once there is a file in it"
    )


def _require_files(stream: Stream) -> None:
    if stream.upstream:
        raise Refused(
            f"{stream.name} reads what {stream.upstream} has published", stream.name, cli=feed.own(stream)
        )
    if isinstance(stream.source, Topic):
        raise Refused(
            f"{stream.name} reads the topic {stream.source.name}, not files",
            stream.name,
            cli=feed.own(stream),
        )


def _place(settings: Settings, stream: Stream, name: str, write: Callable[[BinaryIO], None]) -> Put:
    folder = storage.confine(settings.home, settings.layout.entrada(stream.folder))
    with storage.disk_errors(folder):
        storage.make_dirs(folder)
        temp = folder / f"{storage.TEMP_PREFIX}{secrets.token_hex(8)}"
        try:
            with temp.open("xb") as target:
                write(target)
                target.flush()
                os.fsync(target.fileno())
            path = _link_free(temp, folder, partial_names.final_name(name, _own(stream)), stream.name)
        finally:
            temp.unlink(missing_ok=True)
        storage.fsync_dir(folder)
        return Put(path, name, path.stat().st_size)


def _own(stream: Stream) -> tuple[str, ...]:
    return stream.source.under_way if isinstance(stream.source, Files) else ()


def _link_free(temp: Path, folder: Path, name: str, stream: str) -> Path:
    """Gives the file the name `name`, or `name` with the first free suffix: a.json, a-2.json, a-3.json."""
    stem, dot, ending = name.partition(".")
    for number in range(1, _MAX_SUFFIX):
        path = folder / (name if number == 1 else f"{stem}-{number}{dot}{ending}")
        try:
            os.link(temp, path)
            return path
        except FileExistsError:
            continue
    raise Refused(
        f"{_MAX_SUFFIX} files with names like {name} are waiting already",
        folder,
        cli=f"./caudal run {stream}",
    )
