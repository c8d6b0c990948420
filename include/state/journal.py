"""Housekeeping's journal: an operation is written down, with all its steps, before its first step is done.

Each stream has one SQLite file, `state/journal/S.sqlite`. An operation without `finished` is open: it was
cut short, and it is finished before anything else happens. Finished operations stay in the journal, so that
a file can be found by date or batch, and so that an operation can be undone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
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
    "CREATE TABLE operation (id TEXT PRIMARY KEY, kind TEXT NOT NULL, generation INTEGER NOT NULL,"
    " begun TEXT NOT NULL, detail TEXT NOT NULL, finished TEXT, undone_by TEXT NOT NULL DEFAULT '')",
    "CREATE TABLE step (operation TEXT NOT NULL REFERENCES operation, position INTEGER NOT NULL,"
    " stage INTEGER NOT NULL, verb TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL,"
    " size_bytes INTEGER NOT NULL, batch INTEGER NOT NULL, data TEXT NOT NULL,"
    " PRIMARY KEY (operation, position)) WITHOUT ROWID",
    "CREATE INDEX step_source ON step (source)",
    # Each run asks for open operations and for operations of a kind.
    "CREATE INDEX operation_open ON operation (finished) WHERE finished IS NULL",
    "CREATE INDEX operation_kind ON operation (kind)",
)
_JOURNAL = Database("housekeeping's journal", VERSION, _SCHEMA, JournalDamaged)


@dataclass(frozen=True, slots=True)
class Step:
    """One change on disk. Paths are relative to the home. `size_bytes`: 0 for folders. `batch`: -1 for none.

    `move`: a file or a whole folder, from `source` to `target`, which must be free.
    `write`: a new file `target` with the content `data`.
    `remove`: `source` with all in it, for good.
    `deliver`: a new file `target` with refused records of the quarantined batch `source`; `data` says which
    (a refused_records.Selection).

    Steps of one stage may be done in any order. A stage is durable before the next one begins.
    """

    stage: int
    verb: Verb
    source: str = ""
    target: str = ""
    size_bytes: int = 0
    batch: int = -1
    data: str = ""

    def values(self) -> tuple[Any, ...]:
        """The row in SQLite. `astuple` would copy each value, and a plan may have 200,000 steps."""
        return self.stage, self.verb, self.source, self.target, self.size_bytes, self.batch, self.data


@dataclass(frozen=True)
class Operation:
    """`id`: sortable like a run id. `generation`: the current one when the operation began.

    `begun`, `finished`: UTC, ISO 8601; `finished` is empty while the operation is open. `detail`: what it
    does, for a person and for later operations. `undone_by`: id of the operation that took it back.
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
    """Writes the operation down. From then on, this process or the next run will finish it.

    Raises JournalDamaged, DiskFull.
    """
    with _JOURNAL.writer(path) as db, transaction(db):
        if is_new(db):
            _JOURNAL.create(db)
        detail = json.dumps(operation.detail)
        values = operation.id, operation.kind, operation.generation, operation.begun, detail
        insert = "INSERT INTO operation (id, kind, generation, begun, detail) VALUES (?, ?, ?, ?, ?)"
        db.execute(insert, values)
        marks = ", ".join("?" * (len(fields(Step)) + 2))
        rows = ((operation.id, position, *step.values()) for position, step in enumerate(steps))
        db.executemany(f"INSERT INTO step (operation, position, {_COLUMNS}) VALUES ({marks})", rows)


def finish(path: Path, operation: Operation, now: str) -> None:
    """Marks the operation finished: all its steps are done and durable.

    An undo also marks what it took back. A purge also drops the archive steps of the files it removed.
    """
    with _JOURNAL.writer(path) as db, transaction(db):
        db.execute("UPDATE operation SET finished = ? WHERE id = ?", (now, operation.id))
        if operation.kind == "undo":
            undone = operation.detail["undoes"]
            db.execute("UPDATE operation SET undone_by = ? WHERE id = ?", (operation.id, undone))
        if operation.kind == "purge":
            _forget_archived(db, operation.id)


def _forget_archived(db: Connection, purge: str) -> None:
    """Drops the archive steps whose files a purge has removed, so that the journal does not grow for ever.

    The purge has removed files one by one, or a whole day's folder, which is no step's target.
    """
    query = (
        "SELECT source FROM step WHERE operation = ? AND source LIKE 'data/archivo/%'"
        " EXCEPT SELECT target FROM step"
    )
    folders = [row[0] for row in db.execute(query, (purge,))]
    delete = "DELETE FROM step WHERE operation IN (SELECT id FROM operation WHERE kind = 'archive') AND "
    db.execute(f"{delete} target IN (SELECT source FROM step WHERE operation = ?)", (purge,))
    for folder in folders:  # "0" is the character after "/": a range uses no LIKE, which would need escapes
        db.execute(f"{delete} target >= ? AND target < ?", (f"{folder}/", f"{folder}0"))


def open_operations(path: Path) -> list[Operation]:
    """Operations that were cut short, oldest first. There is at most one if all callers held the lease."""
    return operations(path, "finished IS NULL")


def operations(path: Path, where: str = "1", values: Sequence[object] = ()) -> list[Operation]:
    """Operations that meet the SQL condition `where`, oldest first; none if there is no journal.

    The condition is a constant of the calling module; `values` are bound to its question marks.
    """
    with _reading(path) as db:
        if db is None:
            return []
        query = f"SELECT {_OPERATION} FROM operation WHERE {where} ORDER BY rowid"
        return [_operation(row) for row in db.execute(query, values)]


def steps(path: Path, operation: str) -> list[Step]:
    """The steps of one operation, in order."""
    query = f"SELECT {_COLUMNS} FROM step WHERE operation = ? ORDER BY position"
    with _reading(path) as db:
        return [] if db is None else [Step(*row) for row in db.execute(query, (operation,))]


def moves(
    path: Path, kinds: Kind | Sequence[Kind], where: str = "1", values: Sequence[object] = ()
) -> Iterator[tuple[Operation, Step]]:
    """(operation, move) for finished operations of these kinds, newest operation first.

    `where` may name columns of both tables.
    """
    wanted = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    query = (
        f"SELECT {_OPERATION}, {_COLUMNS} FROM operation JOIN step ON step.operation = operation.id"
        f" WHERE verb = 'move' AND kind IN ({', '.join('?' * len(wanted))}) AND finished IS NOT NULL"
        f" AND ({where}) ORDER BY operation.rowid DESC, position"
    )
    with _reading(path) as db:
        for row in db.execute(query, (*wanted, *values)) if db is not None else ():
            yield _operation(row[:7]), Step(*row[7:])


def _operation(row: Sequence[Any]) -> Operation:
    id_, kind, generation, begun, detail, finished, undone_by = row
    return Operation(id_, kind, generation, begun, json.loads(detail), finished, undone_by)


@contextmanager
def _reading(path: Path) -> Iterator[Connection | None]:
    """The journal, open for reading; None if no operation was ever begun."""
    if not path.is_file() or path.stat().st_size == 0:
        yield None
        return
    with _JOURNAL.reader(path) as db:
        yield None if is_new(db) else db
