"""Reads Spark's checkpoint without Spark and without writing: metadata, offsets, commits and the file
source's log, formats v1 to v3.

`offsets/N` is a version line, a JSON line, and one line for each source (`-` for none; v2 and later name the
source: `0:{…}`). `sources/<i>/K` is a version line and one JSON line for each file; `K.compact` holds all
files up to K. The `batchId` of a file entry is the *source's log offset*, which is not the query's batch
number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

from jobs.contract.commit import checksum
from jobs.contract.errors import CheckpointDamaged

_BATCH = re.compile(r"[0-9]+")
_COMPACT = re.compile(r"([0-9]+)\.compact")
T = TypeVar("T", int, str)
# Spark 4 writes v1. v2 offsets name their sources, and v2 and v3 commits exist; what is read here is the same
# in all.
_VERSIONS = ("v1", "v2", "v3")
_NAMED = re.compile(r"([^:{]+):(.*)", re.DOTALL)
# A file entry exactly as Spark writes it. Other forms go to the JSON parser, which takes four times as long.
_ENTRY = re.compile(
    r'\{"path":"file://(/[^"\\?#\x00-\x1f]+)","timestamp":(0|[1-9][0-9]{0,17}),"batchId":(0|[1-9][0-9]{0,17})\}'
)


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint retains. `offsets`, `commits`: batch numbers, ascending. `query_id` is None when
    Spark has never started here."""

    path: Path
    query_id: str | None
    offsets: tuple[int, ...]
    commits: tuple[int, ...]

    @property
    def newest_offset(self) -> int:
        """The only batch that Spark runs again; -1 when nothing was ever planned."""
        return self.offsets[-1] if self.offsets else -1

    @property
    def newest_commit(self) -> int:
        return self.commits[-1] if self.commits else -1


@dataclass(frozen=True)
class Offset:
    """One planned batch. `sources`: name or number of each source -> its position (None: nothing yet)."""

    batch: int
    watermark_ms: int
    timestamp_ms: int
    sources: dict[str, dict[str, Any] | None]

    @property
    def position(self) -> dict[str, Any]:
        """The position of a stream's only source; {} when it has none yet."""
        return next(iter(self.sources.values()), None) or {}


class SourceEntry(NamedTuple):
    """A file that the source has listed. `log_offset`: the source's. `timestamp_ms`: the file's mtime at that
    time.

    A tuple and not a dataclass, because a log may hold a million entries.
    """

    name: str
    path: str
    timestamp_ms: int
    log_offset: int


def read(path: Path) -> Checkpoint:
    """What the checkpoint at `path` retains. A folder that does not exist reads as an empty checkpoint.

    Raises CheckpointDamaged when the metadata, the newest offset or the newest commit is incomplete; a power
    cut leaves them empty. Spark reads these three at its start, and fails on them without saying what to do.
    """
    state = Checkpoint(
        path, _query_id(path / "metadata"), _numbers(path / "offsets"), _numbers(path / "commits")
    )
    if state.offsets:
        _check_newest(
            path / "offsets" / str(state.newest_offset),
            lambda _: read_offset(path, state.newest_offset),
            "the batch is then planned again",
        )
    if state.commits:
        then = "the batch is then skipped as published, and committed again"
        _check_newest(
            path / "commits" / str(state.newest_commit),
            lambda file: _json("".join(_lines(file)[:1]), file),
            then,
        )
    # Earlier log files were synced before their batch was published, so only the newest may be incomplete.
    for file in log_files(path)[-1:]:
        _check_log(path, file)
    return state


def read_offset(path: Path, batch: int) -> Offset:
    """The plan of `batch`. Raises CheckpointDamaged when it is missing, incomplete or of an unknown
    version."""
    file = path / "offsets" / str(batch)
    lines = _lines(file)
    sources = dict(_sources(lines[1:], file))
    if not sources:
        raise CheckpointDamaged("incomplete: it has no source position", file)
    meta = _json(lines[0], file)
    watermark_ms, timestamp_ms = (
        _typed(meta.get(f"batch{name}Ms", 0), int, file) for name in ("Watermark", "Timestamp")
    )
    return Offset(batch, watermark_ms, timestamp_ms, sources)


def planned_entries(path: Path, after: int, through: int) -> list[SourceEntry]:
    """Files that the first source logged with after < log offset <= through, in log order.

    Each log file of that range is read once. A compact file is read only where the range's own file is
    compact or gone: Spark removes the files that a compact one covers after
    `spark.sql.streaming.fileSource.log.cleanupDelay`, 10 minutes. Raises CheckpointDamaged when an offset of
    the range has no entry, because Spark logs no offset without a file.
    """
    folder = path / "sources" / "0"
    planned: list[SourceEntry] = []
    number = after + 1
    while number <= through:
        file, covered = _log_file(folder, number)
        last = min(covered, through)
        entries = [e for e in _entries(file) if number <= e.log_offset <= last]
        if lost := set(range(number, last + 1)) - {e.log_offset for e in entries}:
            raise CheckpointDamaged(
                f"it has no file of log offset {min(lost)}, but an offset names one", file
            )
        planned.extend(entries)
        number = last + 1
    return planned


def planned_log_files(path: Path, start: dict[str, Any], end: dict[str, Any]) -> list[Path]:
    """The source log's files that a batch was planned from, whether they exist or not: those of its log
    offsets, or the one with Kafka's initial position."""
    folder = path / "sources" / "0"
    if "logOffset" not in end:
        return [folder / "0"]
    numbers = range(int(start.get("logOffset", -1)) + 1, int(end["logOffset"]) + 1)
    # Every tenth file is compact, and which one is a setting of Spark. So both names are given.
    return [folder / name for n in numbers for name in (str(n), f"{n}.compact")]


def all_entries(path: Path, above: int = -1, *, newest_first: bool = False) -> Iterator[SourceEntry]:
    """Every file that the first source has listed with log offset > `above`.

    They are read from the newest compact file and all later files, in this order; or in reverse if
    `newest_first`.
    """
    files = log_files(path)
    for file in reversed(files) if newest_first else files:
        try:
            yield from (entry for entry in _entries(file, above) if entry.log_offset > above)
        except CheckpointDamaged as error:
            raise CheckpointDamaged(error.what, file, cli=_remedy(path, file)) from error


def log_files(path: Path) -> list[Path]:
    """The files of the source log that together have all entries: the newest compact file and the later
    ones."""
    folder = path / "sources" / "0"
    if not folder.is_dir():
        return []
    numbers, compacts = _log_files(folder)
    newest = max(compacts, default=-1)
    return ([folder / f"{newest}.compact"] if newest >= 0 else []) + [
        folder / str(n) for n in sorted(numbers) if n > newest
    ]


def initial_kafka_position(path: Path) -> dict[str, Any]:
    """Where the Kafka source began. Spark writes it once, at the first start, to `sources/0/0`, after a zero
    byte (SPARK-19517)."""
    file = path / "sources" / "0" / "0"
    lines = _lines(file, mark="\0")
    return _json(lines[0] if lines else "", file)


def _query_id(file: Path) -> str | None:
    try:
        value = _json(file.read_bytes().decode(), file).get("id")
        if isinstance(value, str) and value:
            return value
        what = "no query id in it"
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        what = "not UTF-8 text"
    except CheckpointDamaged as error:
        what = error.what
    remedy = (
        'write {"id": "…"} there with the query_id of any _MANIFEST of its output, and remove .metadata.crc; '
        "if there is no _MANIFEST, move the folder away"
    )
    raise CheckpointDamaged(f"metadata: {what}", file, cli=remedy)


def _check_newest(file: Path, read_it: Callable[[Path], object], then: str) -> None:
    """Raises CheckpointDamaged with a remedy: to remove the file. That is safe, because the offset of a
    published batch was synced before, so an incomplete one belongs to no published batch; and the pairing
    check refuses otherwise."""
    try:
        checksum.verify(file)
        read_it(file)
    except CheckpointDamaged as error:
        remedy = (
            f"remove {file.name} and .{file.name}.crc there: {then}, unless the pairing check refuses; "
            "then ./caudal run STREAM"
        )
        what = f"the newest of {file.parent.name}: {error.what}"
        raise CheckpointDamaged(what, file, cli=remedy) from error


def _check_log(path: Path, file: Path) -> None:
    try:
        checksum.verify(file)
    except CheckpointDamaged as error:
        raise CheckpointDamaged(error.what, file, cli=_remedy(path, file)) from error


def _remedy(path: Path, file: Path) -> str:
    """How to mend a damaged log file; empty where only the general advice of CheckpointDamaged applies.

    A file that no offset names yet may be removed. Spark syncs nothing, so a power cut may leave it
    incomplete.
    """
    number = int(file.name.partition(".")[0])
    offsets = _numbers(path / "offsets")
    planned = int(read_offset(path, offsets[-1]).position.get("logOffset", -1)) if offsets else -1
    return (
        f"no batch was planned from it: remove {file.name} and .{file.name}.crc there; Spark lists its files "
        "again"
        if number > planned
        else ""
    )


def _numbers(folder: Path) -> tuple[int, ...]:
    if not folder.is_dir():
        return ()
    return tuple(sorted(int(e.name) for e in folder.iterdir() if _BATCH.fullmatch(e.name)))


def _log_files(folder: Path) -> tuple[list[int], list[int]]:
    names = [e.name for e in folder.iterdir()]
    compacts = [int(m[1]) for n in names if (m := _COMPACT.fullmatch(n))]
    return [int(n) for n in names if _BATCH.fullmatch(n)], compacts


def _log_file(folder: Path, number: int) -> tuple[Path, int]:
    """The smallest file that has log offset `number`, and the last offset in it: the offset's own file, else
    the next compact file."""
    if (folder / str(number)).is_file():
        return folder / str(number), number
    compacts = [n for n in _log_files(folder)[1] if n >= number] if folder.is_dir() else []
    if not compacts:
        raise CheckpointDamaged(f"the source log has no entry {number}, but an offset names it", folder)
    return folder / f"{min(compacts)}.compact", min(compacts)


def _lines(file: Path, mark: str = "") -> list[str]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise CheckpointDamaged("missing", file) from error
    except UnicodeDecodeError as error:
        raise CheckpointDamaged("not UTF-8 text", file) from error
    version, _, rest = text.removeprefix(mark).partition("\n")
    if version not in _VERSIONS:
        raise CheckpointDamaged(f"version line {version[:20]!r} is not one of {', '.join(_VERSIONS)}", file)
    return rest.split("\n") if rest else []


def _sources(lines: list[str], file: Path) -> Iterator[tuple[str, dict[str, Any] | None]]:
    for number, line in enumerate(line for line in lines if line):
        named = _NAMED.fullmatch(line)
        name, text = (named[1], named[2]) if named else (str(number), line)
        yield name, None if text in ("-", "") else _json(text, file)


def _typed(value: object, kind: type[T], file: Path) -> T:
    if not isinstance(value, kind):
        expected = "a number" if kind is int else "a text"
        raise CheckpointDamaged(f"{expected} was expected, but it is {str(value)[:20]!r}", file)
    return value


def _json(text: str, file: Path) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise CheckpointDamaged(f"incomplete, or not JSON: {text[:60]!r}", file) from error
    if not isinstance(value, dict):
        raise CheckpointDamaged(f"a JSON object was expected, but it is {text[:60]!r}", file)
    return value


def _entries(file: Path, above: int = -1) -> Iterator[SourceEntry]:
    """The entries of one log file. Those at or below log offset `above` may be left out: each run looks for
    the newest entries among all files ever listed, and need not parse the others."""
    try:
        with file.open(encoding="utf-8") as lines:
            version = lines.readline().rstrip("\n")
            if version not in _VERSIONS:
                raise CheckpointDamaged(
                    f"version line {version[:20]!r} is not one of {', '.join(_VERSIONS)}", file
                )
            for line in lines:
                if (line := line.rstrip("\n")) and not (above >= 0 and _is_old(line, above)):
                    yield _entry(line, file)
    except FileNotFoundError as error:
        raise CheckpointDamaged("missing", file) from error
    except UnicodeDecodeError as error:
        raise CheckpointDamaged("not UTF-8 text", file) from error


def _is_old(line: str, above: int) -> bool:
    """Whether the line's log offset is at most `above`, judged by the end of a line as Spark writes it. This
    takes a fifth of the time of parsing it. False for lines of another form."""
    number = line.rpartition('"batchId":')[2].rstrip("}\n")
    return number.isdecimal() and int(number) <= above


def _entry(line: str, file: Path) -> SourceEntry:
    if match := _ENTRY.fullmatch(line):
        url, timestamp, log_offset = match.groups()
        path = _decoded(url) if "%" in url else url
        return SourceEntry(path.rpartition("/")[2], path, int(timestamp), int(log_offset))
    return _other_entry(line, file)


def _other_entry(line: str, file: Path) -> SourceEntry:
    raw = _json(line, file)
    try:
        path = _decoded(urlsplit(_typed(raw["path"], str, file)).path)
        return SourceEntry(
            path.rpartition("/")[2],
            path,
            _typed(raw["timestamp"], int, file),
            _typed(raw["batchId"], int, file),
        )
    except (KeyError, ValueError) as error:
        raise CheckpointDamaged(f"not a file entry: {line[:80]!r}", file) from error


def _decoded(url: str) -> str:
    # Spaces first: the general decoder takes ten times as long, and most names need no more.
    plain = url.replace("%20", " ")
    return unquote(plain) if "%" in plain else plain
