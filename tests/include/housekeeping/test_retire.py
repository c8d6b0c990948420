"""Retire: a rolled-over generation leaves readers' sight; or the checkpoints of a stream that is no longer
registered go."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.housekeeping.generations import retire, rollover
from include.housekeeping.plan import Plan
from jobs.contract.errors import Refused
from tests.include.housekeeping.homes import Home, as_promised

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def plan(home: Home, generation: int) -> Plan:
    return retire.plan(home.settings, home.stream, home.now, generation=generation)


def two(home: Home) -> None:
    """Generation 1 with rows 1 and a refused record, generation 2 with row 2."""
    home.put("a", 1, bad=1)
    home.run()
    home.apply(lambda: rollover.plan(home.settings, home.stream, home.now))
    home.put("b", 2)
    home.run()


def test_output_quarantine_and_checkpoint_go_in_this_order_and_the_stream_goes_on(home: Home) -> None:
    two(home)
    made = as_promised(home, lambda: plan(home, 1))
    n = home.name
    assert [s.source for s in made.steps] == [
        f"data/salida/{n}/gen=0001",
        f"data/cuarentena/{n}/registros/gen=0001",
        f"data/checkpoints/{n}/gen=0001",
    ]
    assert [s.stage for s in made.steps] == [0, 1, 2]
    assert home.rows() == {"2-0": 1}
    home.put("c", 3)
    home.run()
    assert home.rows() == {"2-0": 1, "3-0": 1}
    assert home.files(home.layout.archivo(home.name)) == ["a"]


def test_the_current_generation_a_retired_and_an_unknown_one_are_refused(home: Home) -> None:
    two(home)
    with pytest.raises(Refused, match="is the current one"):
        plan(home, 2)
    with pytest.raises(Refused, match="no generation 3"):
        plan(home, 3)
    home.apply(lambda: plan(home, 1))
    with pytest.raises(Refused, match="nothing of generation 1 is left"):
        plan(home, 1)


def test_a_stream_that_is_gone_loses_its_checkpoints_and_with_output_all(home: Home) -> None:
    two(home)
    assert retire.gone(home.layout, {home.name}) == {}
    (found,) = retire.gone(home.layout, {"another"}).items()
    assert found[0] == home.name
    assert abs((datetime.now(UTC) - found[1]).total_seconds()) < 600
    rows = home.rows()
    as_promised(home, lambda: retire.plan_gone(home.settings, home.name, home.now))
    assert home.rows() == rows
    assert retire.gone(home.layout, set()) == {}
    as_promised(home, lambda: retire.plan_gone(home.settings, home.name, home.tick(), output=True))
    assert home.rows() == {}
    with pytest.raises(Refused, match="nothing of this stream is left"):
        retire.plan_gone(home.settings, home.name, home.now, output=True)


def test_retirado_on_another_file_system_is_refused_before_anything_moves(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/dev/shm is one on every Linux; a link stands for the mount."""
    from pathlib import Path

    two(home)
    real = Path.lstat

    class Elsewhere:
        st_dev = -1

    monkeypatch.setattr(Path, "lstat", lambda self: Elsewhere() if self == home.layout.data else real(self))
    with pytest.raises(Refused, match="another file system"):
        plan(home, 1)
