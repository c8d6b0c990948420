"""Purge, with an injected `now`: it removes what is past its retention, and nothing else. The journal keeps
the names."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from include.housekeeping.generations import purge, reset, retire, rewind, rollover
from include.housekeeping.plan import Plan
from include.state import journal
from jobs.contract.errors import Refused
from jobs.contract.stream import Upkeep
from tests.include.housekeeping.homes import Home, as_promised, files_of, kept, tree

pytestmark = [pytest.mark.spark, pytest.mark.slow]
UPKEEP = Upkeep(archive_days=10, retired_days=30)


def plan(home: Home, days: float, upkeep: Upkeep = UPKEEP) -> Plan:
    return purge.plan(home.settings, home.name, upkeep, home.now + timedelta(days=days))


@kept
def two(home: Home) -> None:
    """Generation 1 (file a) was rolled over. Generation 2 has an archived file b, and a file c that is read
    but not archived."""
    home.put("a", 1, bad=1)
    home.run()
    home.apply(lambda: rollover.plan(home.settings, home.stream, home.now))
    home.put("b", 2)
    home.run()
    home.archive()
    home.put("c", 3)
    home.run()


def test_inside_the_retention_is_refused_with_the_day(home: Home) -> None:
    two(home)
    with pytest.raises(Refused, match="none is due; the first is inside its retention, until 2026-12-04"):
        plan(home, 9)
    assert purge.due(home.settings, home.name, UPKEEP, home.now).steps == ()


def test_nothing_there_is_nothing_to_do(home: Home) -> None:
    assert plan(home, 0).steps == ()
    home.put("a", 1)
    home.run()
    assert plan(home, 9999).steps == ()


def test_archived_files_go_after_their_days_and_the_stream_goes_on(home: Home) -> None:
    two(home)
    made = as_promised(home, lambda: plan(home, 11))
    assert {s.verb for s in made.steps} == {"remove"}
    assert home.files(home.layout.archivo(home.name)) == []
    assert made.options["archived"] == {"1": 1, "2": 1}
    assert home.layout.checkpoint(home.name, 1).is_dir()
    home.put("d", 4)
    home.run()
    assert home.rows() == {"1-0": 1, "2-0": 1, "3-0": 1, "4-0": 1}
    assert home.put("b again", 2)  # the ledger still knows the content
    assert home.run() == 0


def test_what_was_purged_refuses_reset_and_rewind_with_the_reason(home: Home) -> None:
    two(home)
    done = home.apply(lambda: plan(home, 11))
    with pytest.raises(Refused, match=f"{done.id} purged 1 archived files of generation 1"):
        reset.plan(home.settings, home.stream, home.now)
    with pytest.raises(Refused, match="where purges have removed files"):
        rewind.plan(home.settings, home.stream, home.now, to_batch=-1)
    assert rewind.plan(home.settings, home.stream, home.now, to_batch=0).steps


def test_the_journal_forgets_the_archive_steps_of_purged_files_alone(home: Home) -> None:
    two(home)
    home.archive()
    path = home.layout.journal(home.name)
    assert sorted(s.source[-1] for _, s in journal.moves(path, "archive")) == ["b", "c"]
    (file,) = home.layout.archivo(home.name).rglob("*-c")
    file.rename(file.parent.parent / file.name)  # by a hand: it is not where the journal says, so it stays
    home.apply(lambda: plan(home, 11))
    assert home.files(home.layout.archivo(home.name)) == ["c"]
    assert [s.source[-1] for _, s in journal.moves(path, "rollover")] == ["a"]


def test_a_superseded_checkpoint_goes_once_its_successor_has_begun(home: Home) -> None:
    home.put("a", 1)
    home.run()
    home.apply(lambda: rollover.plan(home.settings, home.stream, home.now))
    with_files_kept = replace(UPKEEP, archive_days=None)
    assert plan(home, 31, with_files_kept).steps == ()
    home.put("b", 2)
    home.run()
    made = as_promised(home, lambda: plan(home, 31, with_files_kept))
    assert [s.source for s in made.steps] == [f"data/checkpoints/{home.name}/gen=0001"]
    assert made.size_bytes > 0
    home.put("c", 3)
    home.run()
    assert home.rows() == {"1-0": 1, "2-0": 1, "3-0": 1}
    home.apply(lambda: reset.plan(home.settings, home.stream, home.now))
    home.run()
    assert home.rows() == {"1-0": 1, "2-0": 1, "3-0": 1}


def test_retired_folders_go_after_their_days_younger_and_foreign_ones_stay(home: Home) -> None:
    two(home)
    old = home.apply(lambda: retire.plan(home.settings, home.stream, home.now, generation=1))
    home.now += timedelta(days=20)
    young = home.apply(lambda: rewind.plan(home.settings, home.stream, home.now, to_batch=0))
    foreign = home.layout.retired(home.name) / "by-hand"
    foreign.mkdir()
    (foreign / "x").write_text("x")
    kept = replace(UPKEEP, archive_days=None)
    made = as_promised(home, lambda: plan(home, 11, kept))
    assert sorted(p.name for p in home.layout.retired(home.name).iterdir()) == sorted(["by-hand", young.id])
    assert made.options["operations"] == [old.id]
    assert {k.reason.partition(",")[0] for k in made.kept} >= {
        "of no operation in the journal",
        "inside its retention",
    }
    assert home.run() == 1
    assert home.rows() == {"2-0": 1, "3-0": 1}


def test_none_keeps_for_ever(home: Home) -> None:
    two(home)
    home.apply(lambda: retire.plan(home.settings, home.stream, home.now, generation=1))
    before = files_of(tree(home.settings.home))
    made = plan(home, 99_999, Upkeep(archive_days=None, retired_days=None))
    assert made.steps == ()
    assert files_of(tree(home.settings.home)) == before


def test_a_stranger_in_a_day_folder_stays_and_the_others_go(home: Home) -> None:
    two(home)
    (day,) = home.layout.archivo(home.name).iterdir()
    (day / "notes").write_text("mine")
    made = as_promised(home, lambda: plan(home, 11))
    assert [p.name for p in day.iterdir()] == ["notes"]
    assert {k.reason for k in made.kept} == {"of no archive operation in the journal"} | {
        k.reason for k in made.kept if "until" in k.reason
    }
