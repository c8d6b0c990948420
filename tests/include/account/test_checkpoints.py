"""A checkpoint explained: what was planned, committed and published, and the words for what comes next."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from include import intake, streams
from include.account import checkpoints
from include.account.checkpoints import Explained
from include.settings import Settings
from include.state import journal
from include.state.journal import Operation, Step
from jobs.contract.errors import CheckpointDamaged, Refused
from jobs.contract.stream import Upkeep
from tests.include.doctor.conftest import QUERY, STREAM, empty, published

__all__ = ["empty", "published"]
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)  # two days after the fixture's generation was made


def explained(settings: Settings, **upkeep: int) -> Explained:
    return checkpoints.explain(settings.layout, replace(streams.get(STREAM), upkeep=Upkeep(**upkeep)), NOW)


def test_a_sound_checkpoint_tells_every_batch_and_the_next(published: Settings) -> None:
    found = explained(published, batches=10)
    kept = (
        found.generation,
        found.query_id,
        found.newest_offset,
        found.newest_commit,
        found.published,
        found.watermark_ms,
        found.sound,
    )
    assert kept == (1, QUERY, 1, 1, 2, 0, True)
    assert [(b.number, b.end, b.committed, b.published, b.records_in, b.rows_out) for b in found.batches] == [
        (0, '{"logOffset":0}', True, True, 1, 1),
        (1, '{"logOffset":1}', True, True, 1, 1),
    ]
    assert found.next_step == "everything planned is committed: the next run begins with batch 2"
    assert (found.growth.log_files, found.growth.batches, found.outgrown, found.days_left) == (2, 2, (), 8.0)


def test_an_open_batch_names_its_files(published: Settings) -> None:
    (published.layout.checkpoint(STREAM, 1) / "commits" / "1").unlink()
    name = intake.waiting_files(published.layout, streams.get(STREAM))[1]
    found = explained(published)
    assert (
        found.next_step
        == f"batch 1 is planned (1 file, first {name}), but not committed: the next run does it again"
    )
    assert ([b.committed for b in found.batches], found.sound) == ([True, False], True)


def test_a_limit_that_is_passed_is_told(published: Settings) -> None:
    assert explained(published, batches=1).outgrown == ("2 batches, the row allows 1",)


def test_output_that_contradicts_the_checkpoint_is_not_sound(published: Settings) -> None:
    shutil.rmtree(published.layout.batch(STREAM, 1, 0))
    found = explained(published)
    assert not found.sound
    assert found.next_step.startswith("refused (output-missing): ")


def test_housekeeping_that_was_cut_short_comes_first(published: Settings) -> None:
    journal.begin(
        published.layout.journal(STREAM),
        Operation("op-1", "archive", 1, "now"),
        [Step(1, "write", target="x", data="y")],
    )
    found = explained(published)
    assert (found.next_step, found.sound) == (
        "a housekeeping operation was cut short: the next run, or the next housekeeping, finishes it first",
        True,
    )


def test_before_the_first_run_there_is_nothing_to_explain(empty: Settings) -> None:
    with pytest.raises(Refused, match="has not run yet"):
        explained(empty)


def test_torn_metadata_is_mended_by_the_words_of_its_error(published: Settings) -> None:
    file = published.layout.checkpoint(STREAM, 1) / "metadata"
    file.write_bytes(b"")
    with pytest.raises(CheckpointDamaged) as caught:
        explained(published)
    assert "query_id of any _MANIFEST" in caught.value.way_cli
    manifest = json.loads((published.layout.batch(STREAM, 1, 1) / "_MANIFEST").read_text())
    file.write_text(json.dumps({"id": manifest["query_id"]}))
    assert explained(published).sound


def test_positions_are_told_in_words() -> None:
    assert checkpoints.position_words({}) == "nothing yet"
    assert checkpoints.position_words({"logOffset": 7}) == "source log 7"
    assert checkpoints.position_words({"facturas": {"10": 3, "2": 4}}) == "facturas 2:4 10:3"
