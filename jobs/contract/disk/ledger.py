"""The intake ledger of a source folder: one SQLite row for each content that was ever admitted.

The launcher writes it, and the Spark driver reads it. A row is written with finished = 0 before its file gets
the visible name, and set to finished = 1 afterwards. Only finished rows make a later file of the same content
a duplicate: a kill in between must not turn the file itself into a duplicate. Names of admitted files contain
sequence and content hash, so a lost ledger can be rebuilt from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from jobs.contract.disk.sqlite import Connection, Database
from jobs.contract.disk.sqlite import is_new as is_new
from jobs.contract.disk.sqlite import transaction as transaction
from jobs.contract.errors import LedgerDamaged

VERSION = 1
HASH_CHARS = (
    16  # of the content hash in an admitted name: 64 bits, enough for any folder; the ledger has all 64
)
SAFE_CHARS = (
    100  # of the readable part of an admitted name: the whole stays below the 255 bytes of a file name
)
_NAME = re.compile(rf"(\d{{12}})-([0-9a-f]{{16}})-([A-Za-z0-9._-]{{1,{SAFE_CHARS}}})", re.ASCII)
_ENDING = ".txt"  # Spark's listing does not skip it, and Spark unpacks nothing because of it
_SKIPPED = (
    "._COPYING_"  # of what Spark's listing skips (HadoopFSUtils), all that a name with a digit first may be
)
_SCHEMA = (
    "CREATE TABLE entry (sequence INTEGER PRIMARY KEY, content_hash TEXT NOT NULL UNIQUE, original_name TEXT "
    "NOT NULL, name TEXT NOT NULL UNIQUE, size_bytes INTEGER NOT NULL, records INTEGER NOT NULL, "
    "original_mtime_ns INTEGER NOT NULL, mtime_ms INTEGER NOT NULL, admitted_at TEXT NOT NULL, finished "
    "INTEGER NOT NULL)",
    "CREATE INDEX entry_original ON entry (original_name)",
)
_UNIQUE = "content_hash TEXT NOT NULL UNIQUE"
_LEDGER = Database("the intake ledger", VERSION, _SCHEMA, LedgerDamaged)
_CHUNK = 500  # values of one IN (…): SQLite's oldest limit is 999


@dataclass(frozen=True)
class Entry:
    """One admitted file. `original_name` is printable: bytes that are not UTF-8 are written as \\xNN.
    `records`: number of lines that are not blank, a csv header included; of csv with multiline=True, of
    records.

    `mtime_ms`: the mtime that the file got at admission. `admitted_at`: UTC, ISO 8601.
    """

    sequence: int
    content_hash: str
    original_name: str
    name: str
    size_bytes: int
    records: int
    original_mtime_ns: int
    mtime_ms: int
    admitted_at: str


_COLUMNS = ", ".join(f.name for f in fields(Entry))


@dataclass(frozen=True)
class Name:
    """The three parts of an admitted name."""

    sequence: int
    hash_start: str
    safe: str


def admitted_name(sequence: int, content_hash: str, safe: str) -> str:
    """A name that Spark's listing does not skip: it begins with a digit and ends with a letter or a digit. If
    `safe` ends otherwise, `.txt` is added."""
    readable = safe if safe[-1:].isalnum() else f"{safe[: SAFE_CHARS - len(_ENDING)]}{_ENDING}"
    return f"{sequence:012d}-{content_hash[:HASH_CHARS]}-{readable}"


def mended(name: str) -> str:
    """The new name for an admitted file whose name Spark's listing skips; other names are returned unchanged.

    Such names were admitted until December 2026. No batch can contain them, so a new name repeats no record.
    """
    parts = parse_name(name) if name.endswith(_SKIPPED) else None
    return admitted_name(parts.sequence, parts.hash_start, parts.safe) if parts else name


def parse_name(name: str) -> Name | None:
    """The parts of an admitted name; None for any other."""
    match = _NAME.fullmatch(name)
    return Name(int(match[1]), match[2], match[3]) if match else None


def is_admitted(name: str) -> bool:
    """Whether it is an admitted name. Faster than parse_name, for lists of 200,000 names."""
    return _NAME.fullmatch(name) is not None


def lookup(path: Path, names: Iterable[str]) -> dict[str, Entry]:
    """admitted name -> entry; names that are not in the ledger are left out. Reads only. Raises
    LedgerDamaged, also when there is no ledger."""
    with reader(path) as db:
        return {e.name: e for e in select(db, "name", names)}


@contextmanager
def reader(path: Path) -> Iterator[Connection]:
    """A read-only connection."""
    if not path.is_file():
        raise LedgerDamaged(
            "there is no ledger", path, cli="./caudal run STREAM rebuilds it from the file names"
        )
    with _LEDGER.reader(path) as db:
        yield db


def writer(path: Path) -> AbstractContextManager[Connection]:
    """As Database.writer."""
    return _LEDGER.writer(path)


def create(db: Connection) -> None:
    _LEDGER.create(db)


def allow_repeats(db: Connection) -> None:
    """Allows several rows with one content, for a stream that takes duplicates. Call it within a transaction.
    It does nothing if it was done before."""
    (schema,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'entry'").fetchone()
    if _UNIQUE not in schema:
        return
    # SQLite cannot drop a constraint, so the table is copied.
    for statement in (
        "ALTER TABLE entry RENAME TO before",
        "DROP INDEX entry_original",
        *(part.replace(_UNIQUE, "content_hash TEXT NOT NULL") for part in _SCHEMA),
        "CREATE INDEX entry_content ON entry (content_hash)",
        "INSERT INTO entry SELECT * FROM before",
        "DROP TABLE before",
    ):
        db.execute(statement)


def insert(db: Connection, entries: Sequence[Entry], *, finished: bool) -> None:
    """Adds rows. An unfinished row of the same content is replaced: its admission was interrupted."""
    db.executemany(
        "DELETE FROM entry WHERE content_hash = ? AND finished = 0", [(e.content_hash,) for e in entries]
    )
    marks = ", ".join("?" * (len(fields(Entry)) + 1))
    db.executemany(
        f"INSERT INTO entry ({_COLUMNS}, finished) VALUES ({marks})",
        [(*astuple(e), int(finished)) for e in entries],
    )


def finish(db: Connection, names: Iterable[str]) -> None:
    db.executemany("UPDATE entry SET finished = 1 WHERE name = ?", [(n,) for n in names])


def mend(db: Connection, names: Iterable[str]) -> None:
    """Gives rows the new names of their files. `names`: new names, see `mended`. Call it within a
    transaction."""
    numbers = {parts.sequence: name for name in names if (parts := parse_name(name))}
    rows = list(select(db, "sequence", numbers))
    renamed = [row for row in rows if row.name != mended(row.name) == numbers[row.sequence]]
    db.executemany(
        "UPDATE entry SET name = ? WHERE name = ?", [(mended(row.name), row.name) for row in renamed]
    )


def select(
    db: Connection, column: str, values: Iterable[str | int], *, only: int | None = None
) -> Iterator[Entry]:
    """Rows whose `column` (name, content_hash, original_name or sequence) is one of `values`. `only`: 1 for
    finished rows, 0 for unfinished ones."""
    wanted = list(values)
    where = "" if only is None else f" AND finished = {only:d}"
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        query = (
            f"SELECT {_COLUMNS} FROM entry WHERE {column} IN ({', '.join('?' * len(part))}){where} ORDER BY "
            "sequence"
        )
        for row in db.execute(query, part).fetchall():
            yield Entry(*row)


def since(db: Connection, admitted_at: str) -> list[Entry]:
    """The finished rows admitted at or after that time (in the form of `Entry.admitted_at`)."""
    query = f"SELECT {_COLUMNS} FROM entry WHERE finished = 1 AND admitted_at >= ?"
    return [Entry(*row) for row in db.execute(query, (admitted_at,)).fetchall()]


def newest(db: Connection, count: int) -> Iterator[Entry]:
    """The finished rows of the highest sequences, newest first."""
    query = f"SELECT {_COLUMNS} FROM entry WHERE finished = 1 ORDER BY sequence DESC LIMIT ?"
    return (Entry(*row) for row in db.execute(query, (count,)).fetchall())


def finished(db: Connection) -> list[Entry]:
    """Every finished row, by sequence. A list and not an iterator, so that the database is free again when
    this returns."""
    query = f"SELECT {_COLUMNS} FROM entry WHERE finished = 1 ORDER BY sequence"
    return [Entry(*row) for row in db.execute(query).fetchall()]


def last(db: Connection) -> tuple[int, int]:
    """(highest sequence, highest mtime_ms); zeros when nothing was ever admitted."""
    # mtimes rise with the sequence, so only the last rows are read
    newest = f"SELECT sequence, mtime_ms FROM entry ORDER BY sequence DESC LIMIT {_CHUNK}"
    row = db.execute(
        f"SELECT coalesce(max(sequence), 0), coalesce(max(mtime_ms), 0) FROM ({newest})"
    ).fetchone()
    return int(row[0]), int(row[1])
