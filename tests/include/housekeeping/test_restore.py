"""Restore, on homes written by hand. The exact bytes come back to the exact place, or nothing moves and the
plan says why."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.housekeeping.files import archive, restore
from include.housekeeping.files.restore import Asked
from include.housekeeping.plan import Plan
from include.state import generations
from include.state.generations import Generation
from jobs.contract.disk import storage
from jobs.contract.errors import FileChanged, Refused, UsageError
from tests.include.housekeeping.handmade import DAY, NOW, STREAM, Hand

NEXT_DAY = datetime(2026, 11, 24, 0, 0, 1, tzinfo=UTC)


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    """Batch 0 of two files, batch 1 of one that was admitted a day later; all archived."""
    made = Hand(tmp_path / "home")
    made.batch(made.admit(b"1\n", b"\x00\xff2\n"))
    made.batch(made.admit(b"3\n", at=NEXT_DAY))
    archive.sweep(made.settings, STREAM, NOW)
    return made


def plan(hand: Hand, **asked: str | int) -> Plan:
    return restore.plan(hand.settings, STREAM, NOW, Asked(**asked))


def bring(hand: Hand, **asked: str | int) -> Plan:
    made = plan(hand, **asked)
    restore.apply(hand.settings, STREAM, made, NOW, Asked(**asked))
    return made


def here(hand: Hand) -> dict[str, bytes]:
    """Original name -> bytes, in en_proceso."""
    return {p.name.split("-", 2)[2]: p.read_bytes() for p in hand.here.iterdir() if p.is_file()}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"file": "f0001.json"}, {"f0001.json": b"\x00\xff2\n"}),
        ({"day": DAY}, {"f0000.json": b"1\n", "f0001.json": b"\x00\xff2\n"}),
        ({"day": "2026-11-24"}, {"f0002.json": b"3\n"}),
        ({"batch": 0}, {"f0000.json": b"1\n", "f0001.json": b"\x00\xff2\n"}),
        ({"batch": 1}, {"f0002.json": b"3\n"}),
    ],
)
def test_files_come_back_by_name_day_or_batch(
    hand: Hand, asked: dict[str, str | int], expected: dict[str, bytes]
) -> None:
    before = {
        p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in hand.layout.archivo("s").rglob("*.json")
    }
    made = bring(hand, **asked)
    assert here(hand) == expected
    assert {
        p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in hand.here.iterdir() if p.is_file()
    }.items() <= before.items()
    assert {step.batch for step in made.steps} == {
        0 if "f0000.json" in expected or "f0001.json" in expected else 1
    }
    assert all(len(folders) == 1 for folders in hand.places().values())


def test_the_admitted_name_finds_it_too_and_the_next_archiving_takes_it_back(hand: Hand) -> None:
    before = hand.places()
    name = min(before)
    made = bring(hand, file=name)
    assert hand.places() == {**before, name: ["en_proceso/s"]}
    assert "the next run or archive takes those back" in made.summary[1]
    archive.sweep(hand.settings, STREAM, NOW)
    assert hand.places() == before
    bring(hand, batch=0)
    assert len(here(hand)) == 2, "archived twice, it is listed once"


def test_planning_moves_nothing(hand: Hand) -> None:
    before = hand.places()
    assert len(plan(hand, day=DAY).steps) == 2
    assert hand.places() == before


def test_a_planned_file_that_a_hand_has_archived_too_early_comes_back(hand: Hand) -> None:
    [name] = hand.admit(b"4\n", at=NEXT_DAY)
    hand.batch([name], committed=False)
    wrong_day = hand.layout.archivo("s") / "2026-01-01"
    wrong_day.mkdir()
    (hand.here / name).rename(wrong_day / name)
    bring(hand, file=name)
    assert hand.places()[name] == ["en_proceso/s"]


@pytest.mark.parametrize("asked", [{"file": "unknown.json"}, {"day": "2020-01-01"}, {"batch": 7}])
def test_what_matches_nothing_is_refused(hand: Hand, asked: dict[str, str | int]) -> None:
    with pytest.raises(Refused, match="nothing in the archive matches"):
        plan(hand, **asked)


def test_a_file_that_is_there_already_is_refused(hand: Hand) -> None:
    bring(hand, file="f0000.json")
    with pytest.raises(Refused, match="it is not archived, it is there already"):
        plan(hand, file="f0000.json")


def test_a_taken_name_is_refused_and_not_overwritten(hand: Hand) -> None:
    name = min(hand.places())
    (hand.here / name).write_bytes(b"another")
    with pytest.raises(Refused, match="the name is taken in en_proceso/s"):
        plan(hand, file=name)
    made = bring(hand, batch=0)
    assert [(kept.path, kept.reason) for kept in made.kept] == [
        (f"data/archivo/s/{DAY}/{name}", "the name is taken in en_proceso/s")
    ]
    assert here(hand) == {"f0000.json": b"another", "f0001.json": b"\x00\xff2\n"}


def test_an_archived_file_whose_bytes_have_changed_does_not_come_back(hand: Hand) -> None:
    name = min(hand.places())
    (hand.layout.archivo("s") / DAY / name).write_bytes(b"x\n")
    with pytest.raises(Refused, match="the same 2 bytes, other content"):
        plan(hand, file=name)


def test_a_file_of_an_older_generation_would_be_published_again_so_it_is_refused(hand: Hand) -> None:
    generations.begin(hand.layout, Generation("s", 2, 1, "", {}, NOW.isoformat()))
    for asked in ({"file": "f0000.json"}, {"day": DAY}):
        with pytest.raises(Refused, match="the checkpoint of generation 2 does not know it"):
            plan(hand, **asked)
    with pytest.raises(Refused, match="nothing in the archive matches batch 0"):
        plan(hand, batch=0)


def test_what_has_moved_on_since_the_plan_is_refused(hand: Hand) -> None:
    made = plan(hand, day=DAY)
    bring(hand, file="f0000.json")
    with pytest.raises(Refused, match="has moved on since"):
        restore.apply(hand.settings, STREAM, made, NOW, Asked(day=DAY))
    assert list(here(hand)) == ["f0000.json"]


def test_each_file_is_read_again_where_it_lies_now(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    def moved_and_damaged(
        pairs: list[tuple[Path, Path]], real: object = storage.move_each_new
    ) -> dict[Path, OSError]:
        stayed = real(pairs)  # type: ignore[operator]
        pairs[0][1].write_bytes(b"damaged by the disk")
        return stayed  # type: ignore[no-any-return]

    monkeypatch.setattr(storage, "move_each_new", moved_and_damaged)
    with pytest.raises(FileChanged, match="restored, but changed since intake: 19 bytes now, 2 then"):
        bring(hand, file="f0000.json")


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"file": "a", "day": DAY},
        {"batch": 0, "file": "a"},
        {"day": "today"},
        {"day": "20261123"},
        {"day": "../.."},
    ],
)
def test_one_question_and_a_day_that_is_one(asked: dict[str, str | int]) -> None:
    with pytest.raises(UsageError):
        Asked(**asked)


def test_names_with_a_way_out_of_the_folder_match_nothing(hand: Hand) -> None:
    for name in ("../../../etc/passwd", "..", "/etc/passwd", ""):
        with pytest.raises((Refused, UsageError)):
            plan(hand, file=name)
