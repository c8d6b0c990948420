"""The engine, on journals written by hand. It moves only what the journal names, never over anything, and
never out of the home."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from include.housekeeping import engine
from include.state import journal
from include.state.journal import Operation, Step
from jobs.contract.disk import storage
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import JournalDamaged, UnsafePath
from tests.include.housekeeping.handmade import NOW

ID = "20261124T120000000Z-00000001"
MOVE = Step(0, "move", "data/en_proceso/s/f", "data/archivo/s/2026-11-23/f", 1)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "home")
    made.en_proceso("s").mkdir(parents=True)
    (made.en_proceso("s") / "f").write_bytes(b"1")
    return made


def cut(layout: Layout, *steps: Step) -> None:
    """An operation of which only the intent was written."""
    journal.begin(layout.journal("s"), Operation(ID, "archive", 1, NOW.isoformat()), steps)


def redo(layout: Layout) -> list[str]:
    return [operation.id for operation in engine.redo(layout, "s", NOW)]


def open_(layout: Layout) -> Sequence[Operation]:
    return journal.open_operations(layout.journal("s"))


def data(layout: Layout) -> dict[str, bytes]:
    return {
        str(p.relative_to(layout.home)): p.read_bytes()
        for p in layout.data.rglob("*")
        if p.is_file() and not p.is_symlink()
    }


def test_redo_does_what_the_journal_says_and_the_second_time_nothing(layout: Layout) -> None:
    cut(layout, MOVE)
    assert redo(layout) == [ID]
    assert data(layout) == {MOVE.target: b"1"}
    assert (redo(layout), open_(layout)) == ([], [])


def test_a_step_that_was_done_before_the_crash_is_left_alone(layout: Layout) -> None:
    cut(layout, MOVE)
    target = layout.home / MOVE.target
    target.parent.mkdir(parents=True)
    (layout.home / MOVE.source).rename(target)
    assert redo(layout) == [ID]
    assert data(layout) == {MOVE.target: b"1"}


@pytest.mark.parametrize("way", ["link", "copy"])
def test_both_names_of_one_file_are_a_move_that_was_killed_half_way(layout: Layout, way: str) -> None:
    cut(layout, MOVE)
    source, target = layout.home / MOVE.source, layout.home / MOVE.target
    target.parent.mkdir(parents=True)
    target.hardlink_to(source) if way == "link" else target.write_bytes(source.read_bytes())
    assert redo(layout) == [ID]
    assert data(layout) == {MOVE.target: b"1"}


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_taken_target_is_named_and_neither_file_is_touched(layout: Layout, kind: str) -> None:
    cut(layout, MOVE)
    target = layout.home / MOVE.target
    target.parent.mkdir(parents=True)
    {
        "file": lambda: target.write_bytes(b"2"),
        "folder": target.mkdir,
        "link": lambda: target.symlink_to(layout.home / MOVE.source),
    }[kind]()
    with pytest.raises(JournalDamaged, match="the target name is taken by something else"):
        redo(layout)
    assert data(layout) == {MOVE.source: b"1"} | ({MOVE.target: b"2"} if kind == "file" else {})
    assert len(open_(layout)) == 1, "it stays open until a person has looked"


def test_a_source_that_is_gone_is_named_and_nothing_else_of_its_round_moves(layout: Layout) -> None:
    other = layout.en_proceso("s") / "g"
    other.write_bytes(b"2")
    cut(layout, Step(0, "move", "data/en_proceso/s/g", "data/archivo/s/g", 1), MOVE)
    (layout.home / MOVE.source).unlink()
    with pytest.raises(JournalDamaged, match="gone from here, and not at"):
        redo(layout)
    assert data(layout) == {"data/en_proceso/s/g": b"2"}
    (layout.home / MOVE.source).write_bytes(b"1")
    assert redo(layout) == [ID]
    assert data(layout) == {"data/archivo/s/g": b"2", MOVE.target: b"1"}


@pytest.mark.parametrize(
    "path",
    [
        "../outside/f",
        "data/../../outside/f",
        "/etc/hostname",
        "data/linked/f",
        "data/en_proceso/s/..",
        "data/en_proceso/s/",
        "data/en_proceso/s/.",
    ],
)
@pytest.mark.parametrize("end", ["source", "target"])
def test_a_path_that_leaves_the_home_or_goes_through_a_link_is_refused(
    layout: Layout, path: str, end: str
) -> None:
    outside = layout.home.parent / "outside"
    outside.mkdir()
    (outside / "f").write_bytes(b"theirs")
    (layout.data / "linked").symlink_to(outside)
    cut(
        layout,
        Step(0, "move", path, "data/x/f")
        if end == "source"
        else Step(0, "move", MOVE.source, path if path[-1] != "f" else f"{path}2"),
    )
    with pytest.raises((UnsafePath, JournalDamaged)):
        redo(layout)
    assert [(p.name, p.read_bytes()) for p in outside.iterdir()] == [("f", b"theirs")]
    assert data(layout) == {MOVE.source: b"1"}


def test_a_link_is_moved_as_the_link_it_is(layout: Layout) -> None:
    """A retired folder's place may have become one; what it points to is not touched."""
    link = layout.en_proceso("s") / "l"
    link.symlink_to("f")
    cut(layout, Step(0, "move", "data/en_proceso/s/l", "data/archivo/s/l"))
    assert redo(layout) == [ID]
    assert (layout.archivo("s") / "l").is_symlink()
    assert data(layout) == {MOVE.source: b"1"}


def test_stages_are_done_in_order_and_a_failing_one_keeps_the_later_ones_from_beginning(
    layout: Layout,
) -> None:
    cut(
        layout,
        MOVE,
        Step(1, "move", "data/en_proceso/s/missing", "data/x/missing"),
        Step(2, "write", target="state/record", data="{}"),
    )
    with pytest.raises(JournalDamaged):
        redo(layout)
    assert data(layout) == {MOVE.target: b"1"}
    assert not (layout.state / "record").exists()


def test_writing_is_done_again_only_when_the_file_is_the_same(layout: Layout) -> None:
    cut(layout, Step(0, "write", target="state/record", data="{}"))
    (layout.state / "record").write_text("{}")
    assert redo(layout) == [ID]
    journal.begin(
        layout.journal("s"),
        Operation(f"{ID}2", "rollover", 1, NOW.isoformat()),
        [Step(0, "write", target="state/record", data="[]")],
    )
    with pytest.raises(JournalDamaged, match="another file has this name"):
        redo(layout)
    assert (layout.state / "record").read_text() == "{}"


def test_removing_takes_what_is_there_and_never_what_a_link_points_to(layout: Layout) -> None:
    outside = layout.home.parent / "outside"
    outside.mkdir()
    (outside / "f").write_bytes(b"theirs")
    (layout.data / "old").mkdir()
    (layout.data / "old" / "link").symlink_to(outside)
    (layout.data / "link").symlink_to(outside)
    cut(layout, Step(0, "remove", "data/old"), Step(0, "remove", "data/link"), Step(0, "remove", "data/gone"))
    assert redo(layout) == [ID]
    assert sorted(p.name for p in layout.data.iterdir()) == ["en_proceso"]
    assert (outside / "f").read_bytes() == b"theirs"


def test_rounds_of_moves_are_as_one(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "ROUND_MOVES", 3)
    rounds: list[int] = []
    real = storage.move_each_new
    monkeypatch.setattr(storage, "move_each_new", lambda pairs: (rounds.append(len(pairs)), real(pairs))[1])
    names = [f"n{number}" for number in range(7)]
    for name in names:
        (layout.en_proceso("s") / name).write_text(name)
    cut(layout, *(Step(0, "move", f"data/en_proceso/s/{name}", f"data/archivo/s/{name}") for name in names))
    assert redo(layout) == [ID]
    assert rounds == [3, 3, 1]
    assert data(layout) == {MOVE.source: b"1", **{f"data/archivo/s/{name}": name.encode() for name in names}}


def test_a_half_copy_that_a_kill_left_beside_a_target_is_removed_and_nothing_else(layout: Layout) -> None:
    cut(layout, MOVE)
    folder = (layout.home / MOVE.target).parent
    folder.mkdir(parents=True)
    (folder / f"{storage.TEMP_PREFIX}0123").write_bytes(b"ha")
    (folder / "other").write_bytes(b"2")
    assert redo(layout) == [ID]
    assert data(layout) == {MOVE.target: b"1", f"data/archivo/s/{folder.name}/other": b"2"}
