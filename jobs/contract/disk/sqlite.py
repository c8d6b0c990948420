"""Opens SQLite files: one writer under a lease, readers at any time, each transaction durable when it
returns."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from jobs.contract.disk import storage
from jobs.contract.errors import DataError, DiskFull, NotWritable, ServiceError

Connection = sqlite3.Connection
# Files up to this size are checked whole at each opening, which takes 10 ms. A check of 70 MB (the ledger of
# 200,000 files) would add 0.5 s to each run.
CHECKED_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Database:
    """One kind of database. `what` names it in messages. `damaged` is raised for a file that cannot be read
    or has another `version`."""

    what: str
    version: int
    schema: Sequence[str]
    damaged: type[DataError]

    @contextmanager
    def reader(self, path: Path) -> Iterator[Connection]:
        """A read-only connection to a file that exists."""
        with self.errors(path):
            _roll_back(path)
            with closing(sqlite3.connect(_uri(path, "ro"), uri=True, isolation_level=None)) as db:
                yield db

    @contextmanager
    def writer(self, path: Path) -> Iterator[Connection]:
        """A connection for the holder of the lease. Begin transactions with `transaction`. A new file has no
        tables yet (see `is_new`).

        A full check reads every page, so a large file gets one only after a suspected crash. `doctor` always
        checks.
        """
        storage.make_dirs(path.parent)
        suspect = _suspect(path)  # before connecting, which would remove a killed writer's journal
        with (
            self.errors(path),
            closing(sqlite3.connect(_uri(path, "rwc"), uri=True, isolation_level=None)) as db,
        ):
            # Not FULL: in rollback-journal mode, a power cut could then bring back the deleted journal, and
            # with it the old state. EXTRA also syncs the folder after the journal is deleted.
            db.execute("PRAGMA synchronous = EXTRA")
            if suspect and (answer := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise self.damaged(str(answer), path)
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, self.version):
                raise self.damaged(f"{self.what}: version {version} is not {self.version}", path)
            yield db
        storage.fsync_dir(path.parent)  # the name of a new file

    def create(self, db: Connection) -> None:
        """Creates the tables. Call it in the transaction that also fills them, so that no reader sees an
        incomplete file."""
        for statement in (*self.schema, f"PRAGMA user_version = {self.version}"):
            db.execute(statement)

    @contextmanager
    def errors(self, path: Path) -> Iterator[None]:
        """Turns SQLite's errors inside the block into Caudal's: a full or failing disk, a read-only folder, a
        busy file, else a damaged one."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary result code
            if code == sqlite3.SQLITE_FULL:
                raise DiskFull(f"no space left for {self.what}", path) from error
            if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
                raise NotWritable(f"{self.what} cannot be opened: {error}", path) from error
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise ServiceError(
                    f"{self.what} is in use by another program",
                    path,
                    cli="close that program, then try again",
                ) from error
            if code == sqlite3.SQLITE_IOERR:
                raise ServiceError(
                    f"the disk failed under {self.what}: {error}", path, cli="see dmesg; then try again"
                ) from error
            raise self.damaged(f"{type(error).__name__}: {error}", path) from error


@contextmanager
def transaction(db: Connection) -> Iterator[None]:
    """The block happens whole or not at all. It is durable when this returns without an error."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk has rolled it back already
            db.execute("ROLLBACK")
        raise


def is_new(db: Connection) -> bool:
    return int(db.execute("PRAGMA user_version").fetchone()[0]) == 0


def _roll_back(path: Path) -> None:
    # A killed writer leaves a journal. A read-only connection cannot roll it back, so this takes a writable
    # one.
    if path.with_name(f"{path.name}-journal").exists():
        with closing(sqlite3.connect(_uri(path, "rw"), uri=True)) as db:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _suspect(path: Path) -> bool:
    """Whether to check the whole file before writing: it is small, a writer was killed in it, or its length
    differs from what its header says."""
    if path.with_name(f"{path.name}-journal").exists():
        return True
    try:
        with path.open("rb") as file:
            header, size = file.read(100), path.stat().st_size
    except OSError:
        return False  # it does not exist yet; for any other reason, opening it fails
    # SQLite's file format, section 1.3: page size (1 means 65536) and number of pages
    page = int.from_bytes(header[16:18], "big")
    pages = int.from_bytes(header[28:32], "big")
    return size <= CHECKED_BYTES or size != pages * (65536 if page == 1 else page)


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(str(path))}?mode={mode}"
