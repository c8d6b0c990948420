"""Growth of Spark's own checkpoints and of made ones, against the row's limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from include import streams
from include.state import growth
from include.state.growth import Growth
from jobs.contract.commit import checkpoint
from jobs.contract.stream import Upkeep

DATA = Path(__file__).parents[2] / "jobs" / "contract" / "data"
FILES, KAFKA = streams.get("facturas_ficheros"), streams.get("facturas_kafka")
BORN = datetime(2026, 11, 1, tzinfo=UTC)
NONE = Growth(0, 0, 0, 0, 0)


def test_a_file_log_is_counted_in_files_and_bytes_from_its_newest_compact_file_on() -> None:
    logs = [DATA / "files/sources/0" / name for name in ("9.compact", "10", "11")]
    found = growth.measure(checkpoint.read(DATA / "files"), FILES)
    assert found == Growth(
        log_files=12, log_bytes=sum(p.stat().st_size for p in logs), batches=12, state_files=0, state_bytes=0
    )


def test_removed_batches_still_count_and_a_kafka_source_has_no_file_log() -> None:
    assert growth.measure(checkpoint.read(DATA / "retained"), FILES).batches == 12
    assert growth.measure(checkpoint.read(DATA / "kafka"), KAFKA) == Growth(0, 0, 3, 0, 0)


def test_nothing_there_is_nothing_grown(tmp_path: Path) -> None:
    assert growth.measure(checkpoint.read(tmp_path), FILES) == NONE


def test_state_is_counted_at_any_depth(tmp_path: Path) -> None:
    for number, size in enumerate((10, 200)):
        file = tmp_path / "state" / "0" / str(number) / "1.delta"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x" * size)
    found = growth.measure(checkpoint.read(tmp_path), KAFKA)
    assert (found.state_files, found.state_bytes) == (2, 210)


def test_each_limit_that_is_passed_is_a_sentence_and_a_limit_that_is_reached_is_not() -> None:
    limits = Upkeep(log_files=10, log_bytes=1000, batches=5)
    at = replace(NONE, log_files=10, log_bytes=1000, batches=5)
    assert (growth.outgrown(at, limits), growth.share(at, limits)) == ((), 1.0)
    over = replace(NONE, log_files=11, log_bytes=2500, batches=6)
    assert growth.outgrown(over, limits) == (
        "11 files in the source log, the row allows 10",
        "2,500 bytes of source log, the row allows 1,000",
        "6 batches, the row allows 5",
    )
    assert growth.share(over, limits) == 2.5


def test_days_left_follow_the_pace_since_the_generation_was_made() -> None:
    limits = Upkeep(batches=100)
    grown = replace(NONE, batches=20)
    assert growth.days_left(grown, limits, BORN, BORN + timedelta(days=4)) == 16.0
    assert growth.days_left(replace(NONE, batches=300), limits, BORN, BORN + timedelta(days=4)) == 0.0
    assert growth.days_left(grown, limits, BORN, BORN + timedelta(hours=23)) is None
    assert growth.days_left(NONE, limits, BORN, BORN + timedelta(days=4)) is None
