"""Ids sort in the order they were made, whatever the clock does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.state import journal, run_ids
from include.state.journal import Operation
from jobs.contract.disk.layout import Layout
from jobs.contract.run import spec

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)


@settings(deadline=None)
@given(st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)), min_size=1, max_size=8))
def test_ids_sort_in_the_order_they_were_made(
    tmp_path_factory: pytest.TempPathFactory, clocks: list[datetime]
) -> None:
    layout = Layout(tmp_path_factory.mktemp("home"))
    made = []
    for clock in clocks:
        made.append(run_ids.after(layout, "s", clock.replace(tzinfo=UTC)))
        assert spec.is_run_id(made[-1])
        layout.run("s", made[-1]).mkdir(parents=True)
    assert made == sorted(made) and len({*made}) == len(made)


def test_operations_count_and_the_time_is_now_where_the_clock_goes_on(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert run_ids.after(layout, "s", NOW).startswith("20261124T080000000Z-")
    later = spec.new_run_id(NOW + timedelta(days=1))
    journal.begin(layout.journal("s"), Operation(later, "rewind", 1, NOW.isoformat()), ())
    assert run_ids.after(layout, "s", NOW).startswith("20261125T080000001Z-")
    (layout.runs("s") / "notes").mkdir(parents=True)
    assert run_ids.after(layout, "s", NOW + timedelta(days=2)).startswith("20261126T080000000Z-")
