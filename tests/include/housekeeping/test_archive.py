"""The archiver on checkpoints written by hand: what is proved moves, everything else stays and is named."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from sqlite3 import connect
from unittest.mock import Mock

import pytest

from include import streams
from include.account import where
from include.housekeeping.files import after_run, archive
from include.housekeeping.plan import Plan
from include.state import journal, lease
from jobs.contract.commit import checkpoint, durable
from jobs.contract.disk import storage
from jobs.contract.errors import FileChanged, LeaseHeld, LedgerDamaged, PairingBroken, Refused, UnsafePath
from tests.include.housekeeping.handmade import ADMITTED, DAY, NOW, STREAM, Hand


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    return Hand(tmp_path / "home")


def plan(hand: Hand, min_age_s: float = 0.0) -> Plan:
    return archive.plan(hand.settings, STREAM, NOW, min_age_s)


def sweep(hand: Hand) -> Plan:
    return archive.sweep(hand.settings, STREAM, NOW)


def planned(found: Plan) -> dict[str, int]:
    """Admitted name -> batch."""
    assert all(step.verb == "move" and step.stage == 0 for step in found.steps)
    return {step.source.rpartition("/")[2]: step.batch for step in found.steps}


def reasons(found: Plan) -> dict[str, str]:
    return {kept.path.rpartition("/")[2]: kept.reason for kept in found.kept}


def test_a_committed_file_goes_to_the_day_of_its_admission_with_its_bytes_and_its_mtime(hand: Hand) -> None:
    [name] = hand.admit(b"1\n")
    before = (hand.here / name).stat()
    hand.batch([name])
    done = sweep(hand)
    path = hand.layout.archivo("s") / DAY / name
    assert [(s.source, s.target, s.size_bytes, s.batch) for s in done.steps] == [
        (f"data/en_proceso/s/{name}", f"data/archivo/s/{DAY}/{name}", 2, 0),
    ]
    assert path.read_bytes() == b"1\n"
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert hand.places() == {name: [f"archivo/s/{DAY}"]}
    assert sweep(hand).steps == ()
    [operation] = journal.operations(hand.layout.journal("s"))
    assert (operation.kind, operation.id, operation.finished) == ("archive", done.id, NOW.isoformat())


def test_planning_changes_nothing(hand: Hand) -> None:
    hand.batch(hand.admit(b"1\n"))
    before = sorted((str(p), p.lstat().st_mtime_ns) for p in hand.path.rglob("*"))
    assert len(plan(hand).steps) == 1
    assert sorted((str(p), p.lstat().st_mtime_ns) for p in hand.path.rglob("*")) == before


def test_a_plan_reads_the_source_log_once(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    hand.batch(hand.admit(b"1\n"))
    hand.batch(hand.admit(b"2\n"))
    passes = Mock(wraps=checkpoint.all_entries)
    monkeypatch.setattr(checkpoint, "all_entries", passes)
    assert len(plan(hand).steps) == 2
    assert passes.call_count == 1, (
        "pairing check, log offsets and batches share one pass: it may hold a million"
    )


def test_a_planned_file_whose_batch_is_not_committed_stays_and_a_waiting_one_is_counted(hand: Hand) -> None:
    done, open_, waiting = hand.admit(b"1\n", b"2\n", b"3\n")
    hand.batch([done])
    hand.batch([open_], committed=False)
    found = sweep(hand)
    assert planned(found) == {done: 0}
    assert reasons(found) == {open_: archive.UNCOMMITTED}
    assert "1 that no batch has yet, 1 of an open batch" in found.summary[1]
    assert hand.places() == {done: [f"archivo/s/{DAY}"], open_: ["en_proceso/s"], waiting: ["en_proceso/s"]}


def test_a_file_that_is_published_but_not_committed_stays(hand: Hand) -> None:
    first, second = hand.admit(b"1\n", b"2\n")
    hand.batch([first])
    hand.batch([second], committed=False, published=True)
    assert planned(plan(hand)) == {first: 0}


def test_nothing_is_archived_when_every_commit_is_gone_and_only_the_older_when_the_newest_is(
    hand: Hand,
) -> None:
    names = hand.admit(b"1\n", b"2\n", b"3\n")
    for name in names:
        hand.batch([name])
    (hand.checkpoint / "commits/2").unlink()
    assert planned(plan(hand)) == {names[0]: 0, names[1]: 1}
    (hand.checkpoint / "commits/1").unlink()
    (hand.checkpoint / "commits/0").unlink()
    assert planned(plan(hand)) == {}
    assert len(reasons(plan(hand))) == 3


def test_a_commit_whose_offset_is_gone_proves_nothing(hand: Hand) -> None:
    names = hand.admit(b"1\n", b"2\n", b"3\n")
    for name in names:
        hand.batch([name])
    for path in ("commits/1", "commits/2", "offsets/0"):
        (hand.checkpoint / path).unlink()
    assert planned(plan(hand)) == {}


def test_an_entry_in_the_source_log_above_the_committed_position_proves_nothing(hand: Hand) -> None:
    """Killed between source log and offset: Spark has the file's name, and no batch has its rows."""
    first, second = hand.admit(b"1\n", b"2\n")
    hand.batch([first])
    hand.enter([second], 1)
    assert planned(plan(hand)) == {first: 0}


def test_a_batch_that_merged_two_log_offsets_is_archived_whole(hand: Hand) -> None:
    a, b, c, d = hand.admit(b"1\n", b"2\n", b"3\n", b"4\n")
    hand.batch([a])
    hand.batch([b], [c])
    hand.batch([d], committed=False)
    assert planned(plan(hand)) == {a: 0, b: 1, c: 1}


def test_a_compact_file_and_later_ones_are_read_together_and_old_batches_come_from_the_manifests(
    hand: Hand,
) -> None:
    names = hand.admit(*(b"%d\n" % n for n in range(14)))
    for name in names[:13]:
        hand.batch([name])
    hand.compact(9)
    hand.forget(10)
    assert planned(plan(hand)) == {name: number for number, name in enumerate(names[:13])}


def test_a_file_that_grew_or_changed_or_is_none_stays_and_is_named_and_the_others_go(hand: Hand) -> None:
    fine, grown, changed, linked, stranger = hand.admit(b"1\n", b"2\n", b"3\n", b"4\n", b"5\n")
    hand.batch([fine, grown, changed, linked, stranger])
    with (hand.here / grown).open("ab") as file:
        file.write(b"more\n")
    (hand.here / changed).write_bytes(b"x\n")
    (hand.here / linked).rename(hand.path / "elsewhere")
    (hand.here / linked).symlink_to(hand.path / "elsewhere")
    with closing(connect(hand.layout.ledger("s"))) as db, db:
        db.execute("DELETE FROM entry WHERE name = ?", (stranger,))
    found = sweep(hand)
    assert planned(found) == {fine: 0}
    assert reasons(found) == {
        grown: "changed since intake: 7 bytes now, 2 then",
        changed: "changed since intake: the same 2 bytes, other content",
        linked: "not a regular file",
        stranger: "the intake ledger does not know it",
    }
    error = archive.changed(found)
    assert isinstance(error, FileChanged)
    assert str(error).startswith(
        f"file-changed: changed since intake: 7 bytes now, 2 then (and 3 more) [data/en_proceso/s/{grown}]"
    )
    assert (hand.here / grown).read_bytes() == b"2\nmore\n"


def test_an_unfinished_row_of_the_ledger_is_no_proof(hand: Hand) -> None:
    """The file would leave, and its content be admitted a second time."""
    [name] = hand.admit(b"1\n")
    hand.batch([name])
    with closing(connect(hand.layout.ledger("s"))) as db, db:
        db.execute("UPDATE entry SET finished = 0")
    assert reasons(plan(hand)) == {name: "the intake ledger does not know it"}


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_taken_name_in_the_archive_is_never_overwritten(hand: Hand, kind: str) -> None:
    [name] = hand.admit(b"1\n")
    hand.batch([name])
    there = hand.layout.archivo("s") / DAY / name
    there.parent.mkdir(parents=True)
    {
        "file": lambda: there.write_bytes(b"other"),
        "folder": there.mkdir,
        "link": lambda: there.symlink_to("nowhere"),
    }[kind]()
    found = sweep(hand)
    assert (found.steps, reasons(found)) == ((), {name: f"the name is taken: data/archivo/s/{DAY}/{name}"})
    assert (hand.here / name).read_bytes() == b"1\n"


@pytest.mark.parametrize(
    "linked", ["data/archivo/s", f"data/archivo/s/{DAY}", "data/en_proceso/s", "state/journal"]
)
def test_no_link_on_the_way_is_followed(hand: Hand, linked: str) -> None:
    [name] = hand.admit(b"1\n")
    hand.batch([name])
    path, outside = hand.path / linked, hand.path.parent / "outside"
    if path.is_dir():
        path.rename(outside)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        outside.mkdir()
    path.symlink_to(outside)
    before = sorted(p.name for p in outside.iterdir())
    with pytest.raises(UnsafePath):
        sweep(hand)
    assert sorted(p.name for p in outside.iterdir()) == before


def test_a_time_of_admission_that_is_none_names_no_folder(hand: Hand) -> None:
    [name] = hand.admit(b"1\n")
    hand.batch([name])
    with closing(connect(hand.layout.ledger("s"))) as db, db:
        db.execute("UPDATE entry SET admitted_at = '../../../../etc'")
    assert reasons(plan(hand)) == {name: "the ledger's time of admission cannot be read: '../../../../etc'"}


def test_younger_files_stay_when_an_age_is_asked_for_and_only_then(hand: Hand) -> None:
    old = hand.admit(b"1\n")
    young = hand.admit(b"2\n", at=NOW - timedelta(seconds=59))
    future = hand.admit(b"3\n", at=NOW + timedelta(days=9))
    hand.batch([*old, *young, *future])
    assert planned(plan(hand, 60.0)) == {old[0]: 0}
    assert planned(plan(hand, 59.0)) == {old[0]: 0, young[0]: 0}
    assert sorted(planned(plan(hand))) == sorted([*old, *young, *future]), (
        "a clock that was set back holds nothing here"
    )
    assert {s.target.split("/")[3] for s in plan(hand).steps} == {DAY, "2026-11-24", "2026-12-03"}


def test_nothing_moves_while_checkpoint_and_output_contradict_each_other(hand: Hand) -> None:
    for name in hand.admit(b"1\n", b"2\n"):
        hand.batch([name])
    (hand.checkpoint / "offsets/1").unlink()
    with pytest.raises(PairingBroken, match="offset-lost"):
        sweep(hand)
    assert not hand.layout.archivo("s").exists()


def test_without_a_ledger_nothing_moves(hand: Hand) -> None:
    hand.batch(hand.admit(b"1\n"))
    hand.layout.ledger("s").unlink()
    with pytest.raises(LedgerDamaged):
        sweep(hand)


def test_a_stream_that_has_not_run_or_reads_a_topic_has_nothing_to_archive(tmp_path: Path) -> None:
    hand = Hand(tmp_path / "home")
    assert plan(hand).steps == ()
    topic = streams.get("facturas_kafka")
    found = archive.plan(hand.settings, topic, NOW)
    assert (found.steps, found.summary) == ((), ("this stream reads a topic: there are no files to archive",))
    assert after_run.tidy(hand.settings, topic, NOW) == after_run.Tidied()


def test_an_operation_that_was_cut_short_comes_first(hand: Hand) -> None:
    first, second = hand.admit(b"1\n", b"2\n")
    hand.batch([first])
    made = plan(hand)
    journal.begin(hand.layout.journal("s"), made.operation(NOW.isoformat()), made.steps)
    hand.batch([second])
    with pytest.raises(Refused, match="was cut short and comes first"):
        plan(hand)
    assert planned(sweep(hand)) == {second: 1}
    assert sorted(hand.places().values()) == [[f"archivo/s/{DAY}"]] * 2


def test_a_held_lease_is_said_and_is_no_failure_of_a_run(hand: Hand) -> None:
    hand.batch(hand.admit(b"1\n"))
    with lease.acquire(hand.layout, "s", lease.Owner(os.getpid(), "run", ADMITTED.isoformat(), "folder")):
        with pytest.raises(LeaseHeld):
            sweep(hand)
        held = after_run.tidy(hand.settings, STREAM, NOW)
        assert (held.files, held.error) == (0, None)
        assert held.held.startswith(f"s is held by pid {os.getpid()}")
        assert list(held.lines()) == [f"nothing archived now: {held.held}"]
    assert after_run.tidy(hand.settings, STREAM, NOW).files == 1


def test_a_run_tells_what_was_archived_and_what_stays(hand: Hand) -> None:
    fine, grown = hand.admit(b"1\n", b"2\n")
    hand.batch([fine, grown])
    (hand.here / grown).write_bytes(b"2\n2\n")
    told = after_run.tidy(hand.settings, STREAM, NOW)
    kept = {
        "path": f"data/en_proceso/s/{grown}",
        "reason": "changed since intake: 4 bytes now, 2 then",
        "wrong": True,
    }
    assert told.error is not None
    assert told.to_json() == {
        "files": 1,
        "bytes": 2,
        "kept": 1,
        "first_kept": [kept],
        "held": "",
        "error": told.error.to_json(),
    }
    assert list(told.lines()) == [
        "archived 1 files, 2 bytes",
        f"stays in en_proceso: {kept['path']}: {kept['reason']}",
    ]


def test_the_proof_is_durable_before_the_journal_and_the_journal_before_the_move(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = hand.admit(b"1\n", b"2\n")
    for name in names:
        hand.batch([name])
    (hand.checkpoint / "offsets/.1.crc").write_bytes(b"crc")
    seen: list[str] = []
    monkeypatch.setattr(
        durable.storage, "fsync_file", lambda path: seen.append(os.path.relpath(path, hand.checkpoint))
    )
    monkeypatch.setattr(
        journal, "begin", lambda *words, real=journal.begin: (seen.append("journal"), real(*words))
    )
    monkeypatch.setattr(
        storage,
        "rename_noreplace",
        lambda *words, real=storage.rename_noreplace: (seen.append("move"), real(*words))[1],
    )
    sweep(hand)
    proof = ["metadata", "offsets/1", "offsets/.1.crc", "sources/0/0", "sources/0/1", "commits/1"]
    assert seen == [*proof, *(f"../../../en_proceso/s/{name}" for name in names), "journal", "move", "move"]


def test_where_tells_the_batch_of_an_archived_file_without_looking_through_the_archive(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = hand.admit(b"1\n", b"2\n")
    for name in names:
        hand.batch([name])
    sweep(hand)
    real = os.walk
    monkeypatch.setattr(
        os, "walk", lambda top: pytest.fail(f"walked {top}") if "archivo" in str(top) else real(top)
    )
    [found] = where.find(hand.layout, [STREAM], where.question("f0001.json"))
    assert (found.place, found.batch, found.generation) == ("archivo", 1, 1)
    assert found.path == str(hand.layout.archivo("s") / DAY / names[1])
    assert found.meaning == "read, published in batch 1 of generation 1 and archived"
    other = hand.layout.archivo("s") / "2020-01-01"
    other.mkdir()
    (hand.layout.archivo("s") / DAY / names[1]).rename(other / names[1])
    [moved] = where.find(hand.layout, [STREAM], where.question("f0001.json"))
    assert moved.path == str(other / names[1]), "one that a hand has put under another day is found, too"


def test_planning_again_gives_the_same_digest_and_another_state_another(hand: Hand) -> None:
    first, second = hand.admit(b"1\n", b"2\n")
    hand.batch([first])
    made = plan(hand)
    assert made.digest == archive.plan(hand.settings, STREAM, NOW + timedelta(hours=1)).digest
    hand.batch([second])
    assert plan(hand).digest != made.digest
