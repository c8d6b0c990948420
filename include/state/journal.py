"""Housekeeping's journal: each operation is written down whole, with every step, before its first step is done.

One SQLite file a stream, `state/journal/S.sqlite`. An operation without `finished` is open: it was cut short and comes before anything else.
Finished ones stay: by them a file is found by date or batch, and an operation undone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from jobs.contract.disk.sqlite import Connection, Database, is_new, transaction
from jobs.contract.errors import JournalDamaged

VERSION = 1
Kind = Literal[
    "archive",
    "restore",
    "rollover",
    "reset",
    "rewind",
    "retire",
    "undo",
    "purge",
    "reprocess",
    "discard",
    "accept",
]
Verb = Literal["move", "write", "remove", "deliver"]
_SCHEMA = (
    "CREATE TABLE operation (id TEXT PRIMARY KEY, kind TEXT NOT NULL, generation INTEGER NOT NULL, begun TEXT NOT NULL, detail TEXT NOT NULL,"
    " finished TEXT, undone_by TEXT NOT NULL DEFAULT '')",
    "CREATE TABLE step (operation TEXT NOT NULL REFERENCES operation, position INTEGER NOT NULL, stage INTEGER NOT NULL, verb TEXT NOT NULL,"
    " source TEXT NOT NULL, target TEXT NOT NULL, size_bytes INTEGER NOT NULL, batch INTEGER NOT NULL, data TEXT NOT NULL,"
    " PRIMARY KEY (operation, position)) WITHOUT ROWID",
    "CREATE INDEX step_source ON step (source)",
    "CREATE INDEX operation_open ON operation (finished) WHERE finished IS NULL",  # each run asks for both
    "CREATE INDEX operation_kind ON operation (kind)",
)
_JOURNAL = Database("housekeeping's journal", VERSION, _SCHEMA, JournalDamaged)


@dataclass(frozen=True, slots=True)
class Step:
    """One change on disk; paths are relative to the home, sizes in bytes (0 for folders), `batch` is -1 where there is none.

    `move`: source -> target, a file or a whole folder, onto a name that must be free. `write`: a new file `target` holding `data`.
    `remove`: `source` with all in it, for good. `deliver`: a new file `target` of refused records of the quarantined batch `source`, which `data`
    names (as refused.Selection). Steps of one stage may be done in any order; a stage is durable before the next begins.
    """

    stage: int
    verb: Verb
    source: str = ""
    target: str = ""
    size_bytes: int = 0
    batch: int = -1
    data: str = ""

    def values(self) -> tuple[Any, ...]:
        """As a row; astuple would copy each value, and a plan may have 200,000 steps."""
        return self.stage, self.verb, self.source, self.target, self.size_bytes, self.batch, self.data


@dataclass(frozen=True)
class Operation:
    """`id`: sortable, as a run id. `generation`: the one it began on. `begun`, `finished`: UTC, ISO 8601; `finished` is empty while open.

    `detail`: what it is about, in words and numbers for a person. `undone_by`: id of the operation that took it back.
    """

    id: str
    kind: Kind
    generation: int
    begun: str
    detail: dict[str, Any] = field(default_factory=dict)
    finished: str = ""
    undone_by: str = ""


_COLUMNS = ", ".join(f.name for f in fields(Step))
_OPERATION = "id, kind, generation, begun, detail, coalesce(finished, ''), undone_by"


def begin(path: Path, operation: Operation, steps: Sequence[Step]) -> None:
    """Writes the operation down; from here on it will be finished, by this process or by the next run. Raises JournalDamaged, DiskFull."""
    with _JOURNAL.writer(path) as db, transaction(db):
        if is_new(db):
            _JOURNAL.create(db)
        values = (
            operation.id,
            operation.kind,
            operation.generation,
            operation.begun,
            json.dumps(operation.detail),
        )
        db.execute(
            "INSERT INTO operation (id, kind, generation, begun, detail) VALUES (?, ?, ?, ?, ?)", values
        )
        marks = ", ".join("?" * (len(fields(Step)) + 2))
        rows = ((operation.id, position, *step.values()) for position, step in enumerate(steps))
        db.executemany(f"INSERT INTO step (operation, position, {_COLUMNS}) VALUES ({marks})", rows)


def finish(path: Path, operation: Operation, now: str) -> None:
    """All steps are done and durable. An undo marks what it has taken back; a purge's own steps replace the archive's of the same files."""
    with _JOURNAL.writer(path) as db, transaction(db):
        db.execute("UPDATE operation SET finished = ? WHERE id = ?", (now, operation.id))
        if operation.kind == "undo":
            db.execute(
                "UPDATE operation SET undone_by = ? WHERE id = ?", (operation.id, operation.detail["undoes"])
            )
        if operation.kind == "purge":
            _forget_archived(db, operation.id)


def _forget_archived(db: Connection, purge: str) -> None:
    """Drops the archive steps whose files a purge has removed, one by one or with their folder: the journal does not grow for ever."""
    query = "SELECT source FROM step WHERE operation = ? AND source LIKE 'data/archivo/%' EXCEPT SELECT target FROM step"
    folders = [row[0] for row in db.execute(query, (purge,))]
    archive = "operation IN (SELECT id FROM operation WHERE kind = 'archive')"
    db.execute(
        f"DELETE FROM step WHERE {archive} AND target IN (SELECT source FROM step WHERE operation = ?)",
        (purge,),
    )
    for folder in folders:
        db.execute(
            f"DELETE FROM step WHERE {archive} AND target >= ? AND target < ?", (f"{folder}/", f"{folder}0")
        )


def open_operations(path: Path) -> list[Operation]:
    """Those that were cut short, oldest first; at most one unless somebody went around the lease."""
    return operations(path, "finished IS NULL")


def operations(path: Path, where: str = "1", values: Sequence[object] = ()) -> list[Operation]:
    """Operations by an SQL condition of this module's callers, oldest first; none when there is no journal."""
    with _reading(path) as db:
        if db is None:
            return []
        rows = db.execute(
            f"SELECT {_OPERATION} FROM operation WHERE {where} ORDER BY rowid", values
        ).fetchall()
        return [_operation(row) for row in rows]


def steps(path: Path, operation: str) -> list[Step]:
    """The steps of one operation, in order."""
    with _reading(path) as db:
        return (
            []
            if db is None
            else _steps(
                db.execute(f"SELECT {_COLUMNS} FROM step WHERE operation = ? ORDER BY position", (operation,))
            )
        )


def moves(
    path: Path, kinds: Kind | Sequence[Kind], where: str = "1", values: Sequence[object] = ()
) -> Iterator[tuple[Operation, Step]]:
    """Moves of finished operations of these kinds with their operation, newest operation first; `where` may name columns of both tables."""
    asked = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    query = (
        f"SELECT {_OPERATION}, {_COLUMNS} FROM operation JOIN step ON step.operation = operation.id"
        f" WHERE verb = 'move' AND kind IN ({', '.join('?' * len(asked))}) AND finished IS NOT NULL AND ({where})"
        " ORDER BY operation.rowid DESC, position"
    )
    with _reading(path) as db:
        for row in db.execute(query, (*asked, *values)) if db is not None else ():
            yield _operation(row[:7]), Step(*row[7:])


def _operation(row: Sequence[Any]) -> Operation:
    id_, kind, generation, begun, detail, finished, undone_by = row
    return Operation(id_, kind, generation, begun, json.loads(detail), finished, undone_by)


def _steps(rows: Iterable[tuple[Any, ...]]) -> list[Step]:
    return [Step(*row) for row in rows]


@contextmanager
def _reading(path: Path) -> Iterator[Connection | None]:
    """None when no operation was ever begun here."""
    if not path.is_file() or path.stat().st_size == 0:
        yield None
        return
    with _JOURNAL.reader(path) as db:
        yield None if is_new(db) else db
