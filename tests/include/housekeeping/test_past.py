"""What can be read again, in figures: Kafka's earliest offsets against what rows came from."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.housekeeping import replay_inputs
from include.housekeeping.generations import reset
from include.housekeeping.plan_builder import begin
from include.kafka.offsets import Positions
from include.state import generations
from include.state.generations import Generation
from jobs.contract.commit.manifest import Manifest
from jobs.contract.disk.layout import MANIFEST, Layout
from jobs.contract.errors import Refused

RECORD = Generation("s", 1, 0, "earliest", {"t": "id"}, "2026-11-24T00:00:00+00:00")


def at(earliest: dict[int, int], end: dict[int, int], topic_id: str = "id") -> Positions:
    return Positions("t", topic_id, earliest, end)


@pytest.mark.parametrize(
    ("earliest", "first", "through", "lost"),
    [
        ({0: 0}, {"0": 0}, {"0": 9}, []),
        ({0: 5}, {"0": 5}, {"0": 9}, []),
        ({0: 5}, {"0": 4}, {"0": 9}, ["t/0 offsets 4 to 4"]),
        ({0: 20}, {"0": 4}, {"0": 9}, ["t/0 offsets 4 to 8"]),
        ({0: 5}, {"0": 9}, {"0": 9}, []),  # nothing was read of it
        (
            {0: 0, 1: 3},
            {"0": 0},
            {"0": 9, "1": 4},
            ["t/1 offsets 0 to 2"],
        ),  # a partition made meanwhile is read from 0
        ({}, {"0": 0}, {"0": 9}, ["t/0 offsets 0 to 8"]),  # the partition is gone
    ],
)
def test_offsets_that_cannot_be_read_again(
    earliest: dict[int, int], first: dict[str, int], through: dict[str, int], lost: list[str]
) -> None:
    assert list(replay_inputs.unreadable(at(earliest, {0: 30, 1: 30}), first, through)) == lost


def test_of_a_topic_made_anew_nothing_can_be_read_again_but_what_was_never_read_is_no_loss(
    tmp_path: Path,
) -> None:
    found = at({0: 0}, {0: 30}, "another")
    with pytest.raises(Refused, match="made again: t/0 offsets 2 to 8"):
        replay_inputs.require_readable(Layout(tmp_path), RECORD, found, {"0": 2}, {"0": 9})
    replay_inputs.require_readable(Layout(tmp_path), RECORD, found, {"0": 9}, {"0": 9})


def published(layout: Layout, batch: int, start: int, end: int) -> None:
    folder = layout.batch("s", 1, batch)
    folder.mkdir(parents=True)
    made = Manifest("s", "q", 1, batch, "d", {"t": {"0": start}}, {"t": {"0": end}}, (), 1, 1, 0, "", "r")
    (folder / MANIFEST).write_bytes(made.to_json())


def test_a_reset_asks_for_the_first_to_the_last_offset_its_manifests_name(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    generations.begin(layout, RECORD)
    published(layout, 0, 3, 5)
    published(layout, 1, 5, 9)
    builder = begin(layout, "s", "reset", 1, datetime(2026, 11, 24, tzinfo=UTC))
    reset._require_records(builder, [1], at({0: 3}, {0: 30}))
    with pytest.raises(Refused, match="t/0 offsets 3 to 8"):
        reset._require_records(builder, [1], at({0: 12}, {0: 30}))


def test_where_a_manifest_is_gone_all_of_the_topic_must_be_there(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    generations.begin(layout, RECORD)
    published(layout, 0, 3, 5)
    (layout.batch("s", 1, 0) / MANIFEST).unlink()
    builder = begin(layout, "s", "reset", 1, datetime(2026, 11, 24, tzinfo=UTC))
    reset._require_records(builder, [1], at({0: 0}, {0: 30}))
    assert "cannot be told" in builder.notes[0]
    with pytest.raises(Refused, match="t/0 offsets 0 to 0"):
        reset._require_records(builder, [1], at({0: 1}, {0: 30}))
