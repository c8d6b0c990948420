"""Generations of Kafka streams on the real broker: each record comes out once, or a refusal names it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from include.housekeeping.generations import reset, rewind, rollover, undo
from include.settings import Settings
from include.state import generations
from jobs.contract.commit import checkpoint, manifest
from jobs.contract.errors import Refused
from tests.integration.here import Home
from tests.integration.kafka_homes import (
    add_partitions,
    do,
    drop_records,
    make_anew,
    notifications,
    plan,
    ran,
    send,
    sent,
)

pytestmark = [pytest.mark.spark, pytest.mark.broker, pytest.mark.slow]
Rows = Counter[str]


def test_a_rollover_starts_at_the_old_end_and_reads_newer_partitions_from_their_first_record(
    spark: Any, fresh: Settings, tmp_path: Path
) -> None:
    home = Home.on(spark, tmp_path, "facturas_kafka", fresh.kafka_bootstrap)
    expected = sent(fresh, 1)
    ran(home)
    ended = checkpoint.read_offset(home.checkpoint, 0).position
    between = sent(fresh, 2)  # after the old end, before the rollover
    do(home, rollover.plan)
    record = generations.current(home.settings.layout, home.stream)
    assert record is not None
    assert (record.number, record.start) == (2, ended)
    add_partitions(fresh, 5)
    expected += between + sent(fresh, 3, count=200)
    ran(home)
    assert home.rows() == expected
    assert home.duckdb_count() == expected.total()
    first = manifest.read(home.settings.layout.batch(home.stream, 2, 0))
    assert {p: first.start["facturas"][p] for p in ("0", "1", "2")} == ended["facturas"]
    assert sorted(first.end["facturas"]) == ["0", "1", "2", "3", "4"]
    ran(home)
    assert home.report().status == "idle"


def test_a_rollover_with_nothing_new_starts_no_spark_and_can_be_undone(
    spark: Any, fresh: Settings, tmp_path: Path
) -> None:
    home = Home.on(spark, tmp_path, "facturas_kafka", fresh.kafka_bootstrap)
    expected = sent(fresh, 4)
    ran(home)
    do(home, rollover.plan)
    ran(home)
    assert (home.report().status, home.report().generation) == ("idle", 2)
    do(home, lambda settings, row, now: undo.plan(settings, row.name, now))
    expected += sent(fresh, 5)
    ran(home)
    assert (home.rows(), home.report().generation) == (expected, 1)


def test_a_reset_reads_the_topic_again_and_is_refused_when_its_records_are_past(
    spark: Any, fresh: Settings, tmp_path: Path
) -> None:
    home = Home.on(spark, tmp_path, "facturas_kafka", fresh.kafka_bootstrap)
    expected = sent(fresh, 6)
    ran(home)
    do(home, rollover.plan)
    expected += sent(fresh, 7)
    ran(home)
    do(home, reset.plan)
    assert home.rows() == Counter()
    ran(home)
    assert (home.rows(), home.report().generation) == (expected, 3)
    drop_records(fresh, p1=5)
    with pytest.raises(Refused, match="retention has passed them: facturas/1 offsets 0 to 4"):
        plan(home, reset.plan)
    assert plan(home, rollover.plan).steps


def test_a_rewind_reads_exactly_the_offsets_after_k_again(
    spark: Any, fresh: Settings, tmp_path: Path
) -> None:
    home = Home.on(spark, tmp_path, "facturas_kafka", fresh.kafka_bootstrap)
    expected: Rows = Counter()
    for seed in (8, 9, 10):
        expected += sent(fresh, seed)
        ran(home)
    do(home, rewind.plan, to_batch=0)
    expected += sent(fresh, 11)
    ran(home)
    assert home.rows() == expected
    assert (home.report().batches, home.report().records_in) == ((1,), 180)
    do(home, rewind.plan, to_batch=-1)
    ran(home)
    assert home.rows() == expected
    drop_records(fresh, p2=1)
    with pytest.raises(Refused, match="facturas/2 offsets 0 to 0"):
        plan(home, rewind.plan, to_batch=-1)


def test_a_topic_made_anew_is_read_from_its_earliest_record_after_a_rollover(
    spark: Any, fresh: Settings, tmp_path: Path
) -> None:
    home = Home.on(spark, tmp_path, "facturas_kafka", fresh.kafka_bootstrap)
    expected = sent(fresh, 12)
    ran(home)
    make_anew(fresh)
    expected += sent(fresh, 13, count=200)
    code, out = home.run()
    assert (code, "./caudal generation rollover" in out) == (65, True)
    with pytest.raises(Refused, match="deleted and made again: facturas/0 offsets 0 to "):
        plan(home, reset.plan)
    with pytest.raises(Refused, match="deleted and made again"):
        plan(home, rewind.plan, to_batch=-1)
    made = do(home, rollover.plan)
    assert any("begins at the earliest record of the new one" in line for line in made.summary)
    ran(home)
    assert home.rows() == expected


def test_a_published_batch_that_no_run_can_commit_any_more_does_not_hold_the_stream(
    spark: Any, fresh: Settings, tmp_path: Path
) -> None:
    """Killed between publish and commit, and then the topic was made anew: the rows are published, and the
    batch cannot run again."""
    home = Home.on(spark, tmp_path, "facturas_kafka", fresh.kafka_bootstrap)
    expected = sent(fresh, 19)
    ran(home)
    for lost in ("commits/0", "commits/.0.crc"):
        (home.checkpoint / lost).unlink()
    with pytest.raises(Refused, match="open-batch"):
        plan(home, rollover.plan)
    make_anew(fresh)
    assert home.run()[0] == 65
    do(home, rollover.plan)
    expected += sent(fresh, 20)
    ran(home)
    assert home.rows() == expected


def test_an_unpublished_batch_of_a_topic_made_anew_can_be_taken_back(
    spark: Any, fresh: Settings, tmp_path: Path
) -> None:
    home = Home.on(spark, tmp_path, "facturas_kafka", fresh.kafka_bootstrap)
    expected = sent(fresh, 21)
    ran(home)
    sent(fresh, 22)
    ran(home)
    for lost in ("commits/1", "commits/.1.crc"):
        (home.checkpoint / lost).unlink()
    home.settings.layout.batch(home.stream, 1, 1).rename(tmp_path / "never published")
    make_anew(fresh)
    with pytest.raises(Refused, match="open-batch"):
        plan(home, rollover.plan)
    do(home, rewind.plan, to_batch=0)
    do(home, rollover.plan)
    expected += sent(fresh, 23)
    ran(home)
    assert home.rows() == expected


def test_lost_offsets_need_accept_loss_and_are_named(spark: Any, fresh: Settings, tmp_path: Path) -> None:
    home = Home.on(spark, tmp_path, "facturas_kafka", fresh.kafka_bootstrap)
    expected = sent(fresh, 14)
    ran(home)
    ended = checkpoint.read_offset(home.checkpoint, 0).position["facturas"]
    sent(fresh, 15)
    drop_records(fresh, p0=-1, p1=-1, p2=-1)
    code, out = home.run()
    assert (code, "--accept-loss" in out) == (65, True)
    with pytest.raises(
        Refused, match=f"never read, and no longer there: facturas/0 offsets {ended['0']} to "
    ):
        plan(home, rollover.plan)
    made = do(home, rollover.plan, accept_loss=True)
    assert len([line for line in made.summary if line.startswith("never read")]) == 3
    expected += sent(fresh, 16)
    ran(home)
    assert home.rows() == expected


def test_a_topic_sink_sends_again_only_when_that_is_allowed(
    spark: Any, fresh: Settings, tmp_path: Path
) -> None:
    home = Home.on(spark, tmp_path, "notificaciones", fresh.kafka_bootstrap)
    send(fresh, 17)
    ran(home)
    once = notifications(fresh)
    for verb, options in ((reset.plan, {}), (rewind.plan, {"to_batch": -1})):
        with pytest.raises(Refused, match="--allow-repeats"):
            plan(home, verb, **options)
    do(home, rollover.plan)
    send(fresh, 18)
    ran(home)
    twice = notifications(fresh)
    assert (once.total(), twice.total()) == (60, 120)
    do(home, reset.plan, allow_repeats=True)
    ran(home)
    assert notifications(fresh) == twice + twice
