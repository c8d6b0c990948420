"""Rollover on real checkpoints: rows before and after, what is refused, what the plan lists."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from include.housekeeping.generations import rollover
from include.housekeeping.plan import Plan
from include.state import generations
from jobs.contract.commit import checkpoint
from jobs.contract.errors import Refused
from tests.include.housekeeping.homes import Home, as_promised, files_of, tree

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def plan(home: Home) -> Plan:
    return rollover.plan(home.settings, home.stream, home.now)


def test_a_rolled_over_stream_gives_every_row_once_from_both_generations(home: Home) -> None:
    expected = home.put("a", 1, 2) + home.put("b", 3, bad=1)
    assert home.run() == 1
    waiting = home.put("later", 4)
    made = as_promised(home, lambda: plan(home))
    assert [(s.verb, s.stage) for s in made.steps] == [("move", 0), ("move", 0), ("write", 1)]
    assert home.rows() == expected
    assert home.files(home.layout.en_proceso(home.name)) == ["later"]
    assert home.files(home.layout.archivo(home.name)) == ["a", "b"]
    assert home.run() == 1
    assert home.rows() == expected + waiting
    assert (home.generation, generations.live(home.layout, home.name)) == (2, [1, 2])
    assert home.run() == 0
    assert home.quarantined().total() == 1


def test_the_new_record_names_its_predecessor_and_its_operation(home: Home) -> None:
    home.put("a", 1)
    home.run()
    made = home.apply(lambda: plan(home))
    record = generations.current(home.layout, home.name)
    assert record is not None
    assert (record.number, record.predecessor, record.start, record.operation) == (2, 1, "", made.id)
    assert [g.number for g in generations.records(home.layout, home.name)] == [1, 2]


def test_an_open_batch_is_finished_first(home: Home) -> None:
    """Published but not committed: the run commits it, then the rollover is allowed."""
    expected = home.put("a", 1) + home.put("b", 2)
    home.run()
    (home.checkpoint / "commits" / "0").unlink()
    (home.checkpoint / "commits" / ".0.crc").unlink()
    with pytest.raises(Refused, match="open-batch"):
        plan(home)
    home.run()
    home.apply(lambda: plan(home))
    home.run()
    assert home.rows() == expected


def test_a_planned_and_unpublished_batch_is_refused(home: Home) -> None:
    home.put("a", 1)
    home.run()
    expected = home.rows() + home.put("b", 2)
    home.run()
    for lost in ("commits/1", "commits/.1.crc"):
        (home.checkpoint / lost).unlink()
    home.layout.batch(home.name, 1, 1).rename(home.settings.home / "taken")
    with pytest.raises(Refused, match="open-batch"):
        plan(home)
    home.run()
    home.apply(lambda: plan(home))
    assert home.run() == 0
    assert home.rows() == expected


def test_nothing_was_read_yet_is_no_end_to_start_from(home: Home) -> None:
    with pytest.raises(Refused, match="has not run yet"):
        plan(home)
    home.plan()
    with pytest.raises(Refused, match="no-such-batch"):
        plan(home)


def test_a_committed_file_that_grew_must_stay_and_refuses_the_rollover(home: Home) -> None:
    home.put("a", 1)
    home.run()
    (file,) = [p for p in home.layout.en_proceso(home.name).iterdir() if p.is_file()]
    file.write_text(file.read_text() * 2)
    with pytest.raises(Refused):
        plan(home)


def test_a_stateful_stream_needs_drop_state(home: Home) -> None:
    home.put("a", 1)
    home.run()
    home.stream = replace(home.stream, stateful=True)
    with pytest.raises(Refused, match="without the state"):
        plan(home)
    assert rollover.plan(home.settings, home.stream, home.now, drop_state=True).steps


def test_an_output_lost_by_hand_is_refused_by_name(home: Home) -> None:
    home.put("a", 1)
    home.run()
    home.layout.batch(home.name, 1, 0).rename(home.settings.home / "taken")
    with pytest.raises(Refused, match="output-missing"):
        plan(home)


def test_a_folder_under_the_next_number_is_nobodys_and_refuses(home: Home) -> None:
    home.put("a", 1)
    home.run()
    home.layout.checkpoint(home.name, 2).mkdir()
    with pytest.raises(Refused, match="generation 2 has no record"):
        plan(home)


def test_the_digest_does_not_depend_on_when_it_was_planned(home: Home) -> None:
    home.put("a", 1)
    home.run()
    later = rollover.plan(home.settings, home.stream, home.now + timedelta(hours=1))
    assert plan(home).digest == later.digest
    assert plan(home).id != later.id


def test_a_plan_that_no_longer_holds_changes_nothing(home: Home) -> None:
    home.put("a", 1)
    home.run()
    old = plan(home)
    home.put("b", 2)
    home.run()
    before = files_of(tree(home.settings.home))
    with pytest.raises(Refused, match="moved on"):
        home.apply(iter([old, plan(home)]).__next__)
    assert files_of(tree(home.settings.home)) == before


@pytest.mark.usefixtures("compact")
def test_a_compact_source_log_and_later_files_are_all_archived(home: Home) -> None:
    expected = home.put("f0", 100)
    home.run()
    for number in range(1, 5):
        expected += home.put(f"f{number}", 100 + number)
        home.run()
    assert any(f.suffix == ".compact" for f in checkpoint.log_files(home.checkpoint))
    assert len(checkpoint.log_files(home.checkpoint)) > 1
    made = as_promised(home, lambda: plan(home))
    assert len(made.steps) == 5 + 1
    assert home.run() == 0
    assert home.rows() == expected
