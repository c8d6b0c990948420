import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.contract.disk import ledger
from jobs.contract.disk.ledger import Entry, Name
from jobs.contract.errors import LedgerDamaged, NotWritable, ServiceError

ROOT = Path(__file__).resolve().parents[3]


def entry(sequence: int, content: str = "") -> Entry:
    text = (content or f"{sequence:x}").rjust(64, "0")
    name = ledger.admitted_name(sequence, text, "f.json")
    return Entry(
        sequence,
        text,
        f"f{sequence}.json",
        name,
        10,
        2,
        7_000_000,
        1000 + sequence,
        "2026-11-23T10:00:00.000+00:00",
    )


def write(path: Path, entries: list[Entry], *, finished: bool) -> None:
    with ledger.writer(path) as db, ledger.transaction(db):
        if ledger.is_new(db):
            ledger.create(db)
        ledger.insert(db, entries, finished=finished)


def test_rows_come_back_by_name_also_more_than_one_query_takes(tmp_path: Path) -> None:
    path = tmp_path / "state" / "l.sqlite"
    rows = [entry(n) for n in range(1, 1202)]
    write(path, rows, finished=True)
    assert ledger.lookup(path, [r.name for r in rows] + ["unknown"]) == {r.name: r for r in rows}
    with ledger.reader(path) as db:
        assert ledger.last(db) == (1201, 2201)


def test_an_unfinished_row_gives_way_to_the_same_content_and_a_finished_one_does_not(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    write(path, [entry(1, "aa")], finished=False)
    write(path, [entry(2, "aa")], finished=False)
    with ledger.writer(path) as db, ledger.transaction(db):
        assert [e.sequence for e in ledger.select(db, "content_hash", ["aa".rjust(64, "0")], only=0)] == [2]
        ledger.finish(db, [entry(2, "aa").name])
    with pytest.raises(LedgerDamaged, match="UNIQUE"):
        write(path, [entry(3, "aa")], finished=False)
    with ledger.reader(path) as db:
        assert [e.sequence for e in ledger.select(db, "content_hash", ["aa".rjust(64, "0")], only=1)] == [2]


def test_a_failed_transaction_leaves_no_row_and_no_half_made_ledger(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with pytest.raises(LedgerDamaged):
        write(path, [entry(1), replace(entry(1), content_hash="other")], finished=True)
    with ledger.writer(path) as db:
        assert ledger.is_new(db)


def test_readers_read_only_and_a_missing_ledger_is_an_error_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with pytest.raises(LedgerDamaged, match="there is no ledger"):
        ledger.lookup(path, ["x"])
    assert not path.exists()
    write(path, [entry(1)], finished=True)
    with (
        pytest.raises(NotWritable, match=r"cannot be opened: attempt to write a readonly database"),
        ledger.reader(path) as db,
    ):
        ledger.finish(db, ["x"])


@pytest.mark.slow
def test_a_newer_ledger_and_a_busy_one_are_named(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    write(path, [entry(1)], finished=True)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ServiceError, match="in use by another program"):
        ledger.lookup(path, ["x"])
    other.execute("ROLLBACK")
    other.execute("PRAGMA user_version = 9")
    other.close()
    with pytest.raises(LedgerDamaged, match="version 9 is not 1"):
        write(path, [entry(2)], finished=True)


def test_a_reader_reads_what_was_committed_before_a_writer_was_killed_in_mid_transaction(
    tmp_path: Path,
) -> None:
    """The killed writer has spilled pages into the file and leaves its journal: the reader rolls it back
    first."""
    path = tmp_path / "l.sqlite"
    write(path, [entry(1)], finished=True)
    code = (
        "import os, signal, sys; from pathlib import Path; from jobs.contract.disk import ledger\n"
        "with ledger.writer(Path(sys.argv[1])) as db, ledger.transaction(db):\n"
        "    db.execute('PRAGMA cache_size = 5'); db.execute('PRAGMA cache_spill = 1')\n"
        "    db.execute('UPDATE entry SET records = 99')\n"
        "    db.execute('WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
        " INSERT INTO entry SELECT i, hex(randomblob(32)), i, i, 1, 1, 1, 1, 1, 1 FROM n')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert path.with_name("l.sqlite-journal").exists()
    assert ledger.lookup(path, [entry(1).name]) == {entry(1).name: entry(1)}
    with ledger.reader(path) as db:
        assert ledger.last(db) == (1, 1001)


HASH = "0123456789abcdef"


@pytest.mark.parametrize(
    "name",
    [
        "x",
        f"1-{HASH}-x",
        f"000000000001-{HASH.upper()}-x",
        f"000000000001-{HASH}-",
        f"000000000001-{HASH}-a b",
        "٠" * 12 + f"-{HASH}-x",
    ],
)
def test_other_names_are_no_admitted_names(name: str) -> None:
    assert ledger.parse_name(name) is None


def test_an_admitted_name_says_its_parts() -> None:
    assert ledger.parse_name(ledger.admitted_name(7, "0123456789abcdef" * 4, "a-b.json")) == Name(
        7, "0123456789abcdef", "a-b.json"
    )
    assert os.fsencode(ledger.admitted_name(7, "f" * 64, "x")) == b"000000000007-ffffffffffffffff-x"
