"""The journal: whole or not at all, readable at any time, and found by file and batch."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest

from include.state import journal
from include.state.journal import Operation, Step
from jobs.contract.disk import sqlite
from jobs.contract.errors import JournalDamaged

NOW = "2026-11-24T12:00:00+00:00"
MOVE = Step(0, "move", "data/en_proceso/s/a", "data/archivo/s/a", 7, 3)
STEPS = (MOVE, Step(1, "write", target="state/x", data='{"ñ": 1}'), Step(2, "remove", "data/old"))


def operation(number: int, kind: journal.Kind = "archive") -> Operation:
    return Operation(f"2026112{number}T000000000Z-00000000", kind, 1, NOW, {"summary": ["one", "dos ñ"]})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal" / "s.sqlite"


def test_what_is_begun_is_read_back_whole_and_is_open_until_it_is_finished(path: Path) -> None:
    journal.begin(path, operation(1), STEPS)
    assert journal.open_operations(path) == [operation(1)]
    assert journal.steps(path, operation(1).id) == list(STEPS)
    journal.finish(path, operation(1), NOW)
    assert journal.open_operations(path) == []
    [found] = journal.operations(path)
    assert (found.id, found.finished) == (operation(1).id, NOW)


def test_before_the_first_operation_there_is_nothing_and_reading_makes_no_file(path: Path) -> None:
    assert (journal.operations(path), journal.steps(path, "x"), list(journal.moves(path, "archive"))) == (
        [],
        [],
        [],
    )
    assert not path.parent.exists()


def test_a_beginning_that_fails_leaves_nothing(path: Path) -> None:
    def steps() -> list[Step]:
        return [STEPS[0], Step(0, "move", source=None)]  # type: ignore[arg-type]

    with pytest.raises(JournalDamaged):
        journal.begin(path, operation(1), steps())
    assert journal.operations(path) == []
    journal.begin(path, operation(2), STEPS)
    with pytest.raises(JournalDamaged):
        journal.begin(path, operation(2), ())
    assert journal.open_operations(path) == [operation(2)]


def test_moves_are_found_newest_operation_first_and_only_of_finished_ones(path: Path) -> None:
    for number, kind in ((1, "archive"), (2, "restore"), (3, "archive"), (4, "rollover"), (5, "archive")):
        journal.begin(path, operation(number, kind), STEPS)  # type: ignore[arg-type]
        if number != 5:
            journal.finish(path, operation(number), NOW)
    assert [(op.id[:8], step) for op, step in journal.moves(path, "archive")] == [
        ("20261123", STEPS[0]),
        ("20261121", STEPS[0]),
    ]
    found = journal.moves(
        path,
        ("archive", "rollover"),
        "source = ? AND batch = ? AND generation = ?",
        ("data/en_proceso/s/a", 3, 1),
    )
    assert [op.id[:8] for op, _ in found] == ["20261124", "20261123", "20261121"]
    assert list(journal.moves(path, "archive", "batch = 4")) == []


def test_an_undo_marks_what_it_has_taken_back(path: Path) -> None:
    journal.begin(path, operation(1, "rollover"), ())
    journal.finish(path, operation(1), NOW)
    undo = Operation("20261125T000000000Z-00000000", "undo", 2, NOW, {"undoes": operation(1).id})
    journal.begin(path, undo, ())
    journal.finish(path, undo, NOW)
    assert [(op.kind, op.undone_by) for op in journal.operations(path)] == [
        ("rollover", undo.id),
        ("undo", ""),
    ]


def test_what_each_run_asks_does_not_look_at_every_operation(path: Path) -> None:
    """A stream archives hundreds of times a day."""
    journal.begin(path, operation(1), STEPS)
    with closing(connect(path)) as db:
        for where in ("finished IS NULL", "kind = 'rewind' AND generation = 1"):
            plan = db.execute(
                f"EXPLAIN QUERY PLAN SELECT id FROM operation WHERE {where} ORDER BY rowid"
            ).fetchall()
            assert "USING" in str(plan), (where, plan)
        assert "step_source" in str(
            db.execute("EXPLAIN QUERY PLAN SELECT * FROM step WHERE source = 'x'").fetchall()
        )


def test_a_damaged_or_newer_journal_is_named_and_not_written(path: Path) -> None:
    journal.begin(path, operation(1), STEPS)
    with closing(connect(path)) as db:
        db.execute("PRAGMA user_version = 9")
    with pytest.raises(JournalDamaged, match="version 9 is not 1"):
        journal.begin(path, operation(2), ())
    path.write_bytes(b"no database at all, but long enough to be read as one" * 40)
    for call in (lambda: journal.open_operations(path), lambda: journal.begin(path, operation(2), ())):
        with pytest.raises(JournalDamaged):
            call()


@pytest.mark.parametrize("cut", ["half", "page lost in the middle", "killed writer"])
def test_a_big_journal_is_checked_whole_only_when_a_crash_is_suspected(
    path: Path, cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "CHECKED_BYTES", 0)
    journal.begin(
        path,
        operation(1),
        [Step(0, "move", f"data/en_proceso/s/{n:080d}", f"data/archivo/s/{n:080d}") for n in range(2000)],
    )
    journal.finish(path, operation(1), NOW)
    assert not sqlite._suspect(path), "a clean end: opening costs the same at any size"
    data = path.read_bytes()
    if cut == "half":
        path.write_bytes(data[: len(data) // 2])
    else:
        middle = len(data) // 8192 * 4096
        path.write_bytes(data[:middle] + b"\xff" * 4096 + data[middle + 4096 :])
    if cut == "killed writer":
        path.with_name(f"{path.name}-journal").write_bytes(b"")
    if cut == "page lost in the middle":
        assert not sqlite._suspect(path), "only doctor finds this one"
        return
    assert sqlite._suspect(path)
    with pytest.raises(JournalDamaged):
        journal.begin(path, operation(2), ())
