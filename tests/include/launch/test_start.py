"""Where a generation of a Kafka stream starts, and what counts as waiting before its first batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.kafka.offsets import Positions
from include.launch import plan, waiting
from include.state.generations import Generation
from jobs.contract.commit import loaded
from jobs.contract.commit.loaded import LoadedCheckpoint
from jobs.contract.commit.protocol import Next, Proceed
from jobs.contract.errors import OffsetsLost, TopicRecreated
from jobs.contract.stream import Files, Stream, Topic

STREAM = Stream("s", Topic("t"), Files())


def generation(start: Any, topic_id: str = "id") -> Generation:
    return Generation("s", 2, 1, start, {"t": topic_id}, "2026-11-24T00:00:00+00:00")


def positions(earliest: dict[int, int], end: dict[int, int]) -> Positions:
    return Positions("t", "id", earliest, end)


def test_partitions_made_since_the_record_start_at_earliest() -> None:
    found = positions({0: 0, 1: 0, 2: 0}, {0: 9, 1: 9, 2: 4})
    assert plan.start(generation({"t": {"0": 7, "1": 9}}), found) == {"t": {"0": 7, "1": 9, "2": -2}}


def test_earliest_stays_earliest_and_files_have_no_start() -> None:
    assert plan.start(generation("earliest"), positions({0: 0}, {0: 9})) == "earliest"
    assert plan.start(generation(""), None) == ""


def empty(tmp_path: Path) -> LoadedCheckpoint:
    return loaded.load(tmp_path / "checkpoint")


def look(tmp_path: Path, record: Generation, found: Positions) -> int:
    return waiting.topic(found, empty(tmp_path), record, Proceed(Next.FRESH, 0)).records


def test_before_the_first_batch_the_record_says_up_to_where_the_topic_is_read(tmp_path: Path) -> None:
    found = positions({0: 0, 1: 0}, {0: 9, 1: 5})
    assert look(tmp_path, generation({"t": {"0": 9, "1": 5}}), found) == 0
    assert look(tmp_path, generation({"t": {"0": 7, "1": 5}}), found) == 2
    assert look(tmp_path, generation({"t": {"0": 9}}), found) == 5
    assert look(tmp_path, generation("earliest"), found) == 14


def test_what_retention_took_between_the_record_and_the_first_batch_is_named(tmp_path: Path) -> None:
    with pytest.raises(OffsetsLost, match="offsets 3 to 5 were never read"):
        look(tmp_path, generation({"t": {"0": 3}}), positions({0: 6}, {0: 9}))
    with pytest.raises(TopicRecreated):
        look(tmp_path, generation({"t": {"0": 3}}, "another"), positions({0: 0}, {0: 9}))


def test_records_behind_an_open_transaction_are_told_and_not_waiting(tmp_path: Path) -> None:
    found = Positions("t", "id", {0: 2, 1: 0}, {0: 9, 1: 5}, {0: 4, 1: 5})
    looked = waiting.topic(found, empty(tmp_path), generation("earliest"), Proceed(Next.FRESH, 0))
    assert (looked.records, looked.undecided) == (7, 5)
    assert plan._undecided(looked, found) == [
        "5 offsets of t lie behind an open transaction (partition 0 at 4); a later run reads them"
    ]
    past = waiting.topic(found, empty(tmp_path), generation({"t": {"0": 4, "1": 5}}), Proceed(Next.FRESH, 0))
    assert (past.anything, past.undecided) == (False, 5)
