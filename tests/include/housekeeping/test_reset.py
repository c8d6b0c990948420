"""Reset: everything again from the beginning, and nothing twice; what cannot be read again refuses it."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from include.housekeeping.generations import reset, retire, rollover
from include.housekeeping.plan import Plan
from include.state import generations
from jobs.contract.errors import Refused
from jobs.contract.stream import Topic
from tests.include.housekeeping.homes import Home, as_promised

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def plan(home: Home) -> Plan:
    return reset.plan(home.settings, home.stream, home.now)


def rolled(home: Home) -> None:
    home.apply(lambda: rollover.plan(home.settings, home.stream, home.now))


def test_a_reset_reads_every_file_of_all_live_generations_again(home: Home) -> None:
    expected = home.put("a", 1, 2) + home.put("b", 3, bad=1)
    home.run()
    rolled(home)
    expected += home.put("c", 4, bad=1)
    home.run()
    home.archive()
    expected += home.put("d", 5)
    made = as_promised(home, lambda: plan(home))
    assert home.rows().total() == 0
    assert home.files(home.layout.en_proceso(home.name)) == ["a", "b", "c", "d"]
    assert home.files(home.layout.archivo(home.name)) == []
    assert generations.live(home.layout, home.name) == []
    assert made.steps[-1].verb == "write"
    home.run()
    assert home.rows() == expected
    assert home.quarantined().total() == 2
    assert home.generation == 3


def test_outputs_leave_before_their_quarantine_and_their_checkpoint_newest_first(home: Home) -> None:
    home.put("a", 1, bad=1)
    home.run()
    rolled(home)
    home.put("b", 2)
    home.run()
    made = plan(home)
    order = [s.source for s in made.steps if s.stage > 0]
    name = home.name
    assert order == [
        f"data/salida/{name}/gen=0002",
        f"data/salida/{name}/gen=0001",
        f"data/cuarentena/{name}/registros/gen=0001",
        f"data/checkpoints/{name}/gen=0002",
        f"data/checkpoints/{name}/gen=0001",
        "",
    ]
    assert [s.stage for s in made.steps] == sorted(s.stage for s in made.steps)


def test_a_broken_pairing_is_said_and_no_reason_to_refuse(home: Home) -> None:
    expected = home.put("a", 1) + home.put("b", 2)
    home.run()
    home.archive()
    home.layout.batch(home.name, 1, 0).rename(home.settings.home / "taken")
    made = as_promised(home, lambda: plan(home))
    assert any("output-missing" in line for line in made.summary)
    home.run()
    assert home.rows() == expected


def test_a_lost_checkpoint_is_said_and_everything_in_archivo_comes_back(home: Home) -> None:
    expected = home.put("a", 1) + home.put("b", 2)
    home.run()
    home.archive()
    shutil.rmtree(home.checkpoint)
    made = as_promised(home, lambda: plan(home))
    assert any("output-ahead" in line for line in made.summary)
    home.run()
    assert home.rows() == expected


def test_a_damaged_checkpoint_is_said_and_reset(home: Home) -> None:
    expected = home.put("a", 1)
    home.run()
    home.archive()
    (home.checkpoint / "offsets" / "0").write_text("")
    made = as_promised(home, lambda: plan(home))
    assert any("checkpoint-damaged" in line for line in made.summary)
    home.run()
    assert home.rows() == expected


def test_offsets_lost_and_a_file_added_is_said_and_reset(home: Home) -> None:
    expected = home.put("a", 1)
    home.run()
    expected += home.put("b", 2)
    home.run()
    home.archive()
    expected += home.put("added", 3)
    (home.checkpoint / "offsets" / "1").unlink()
    made = as_promised(home, lambda: plan(home))
    assert any("offset-lost" in line for line in made.summary)
    home.run()
    assert home.rows() == expected


def test_a_planned_file_that_is_lost_is_no_reason_to_keep_the_rest_from_being_read(home: Home) -> None:
    expected = home.put("a", 1)
    home.run()
    home.put("b", 2)
    home.run()
    for lost in ("commits/1", "commits/.1.crc"):
        (home.checkpoint / lost).unlink()
    home.layout.batch(home.name, 1, 1).rename(home.settings.home / "never published")
    (file,) = home.layout.en_proceso(home.name).glob("*-b")
    file.unlink()
    as_promised(home, lambda: plan(home))
    home.run()
    assert home.rows() == expected


def test_a_file_that_is_nowhere_refuses_the_reset_by_name(home: Home) -> None:
    home.put("a", 1)
    home.run()
    home.archive()
    (file,) = home.layout.archivo(home.name).rglob("*-a")
    file.unlink()
    with pytest.raises(Refused, match=file.name):
        plan(home)


def test_files_of_a_retired_generation_stay_archived(home: Home) -> None:
    home.put("a", 1)
    home.run()
    rolled(home)
    expected = home.put("b", 2)
    home.run()
    home.apply(lambda: retire.plan(home.settings, home.stream, home.now, generation=1))
    made = as_promised(home, lambda: plan(home))
    assert [k.reason for k in made.kept] == ["of no live generation"]
    home.run()
    assert home.rows() == expected


def test_a_topic_sink_needs_allow_repeats(home: Home) -> None:
    home.put("a", 1)
    home.run()
    home.stream = replace(home.stream, sink=Topic("t", key="k"))
    with pytest.raises(Refused, match="sends them again"):
        plan(home)
    assert reset.plan(home.settings, home.stream, home.now, allow_repeats=True).steps


def test_a_stream_that_never_ran_has_nothing_to_reset(home: Home) -> None:
    with pytest.raises(Refused, match="has not run yet"):
        plan(home)
