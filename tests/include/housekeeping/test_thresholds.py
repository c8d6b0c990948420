"""Thresholds on real runs.

A threshold after publishing makes the run fail, and the next run goes on. With a threshold before it, nothing
is published until a person accepts it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.housekeeping.refused import decide
from include.kafka import consume, topics
from include.settings import Settings
from include.state import refused_records
from jobs.contract.errors import BatchHeld, Refused
from jobs.contract.run import report
from jobs.contract.run.report import Report
from jobs.contract.stream import Files, Stream, Thresholds, Topic
from jobs.domain import facturas
from tests.include.housekeeping.homes import CHECKS, Home

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def newest(home: Home) -> Report:
    found = report.read(next(report.newest(home.layout.runs(home.name))))
    assert found is not None
    return found


def accept(home: Home, batch: int) -> None:
    home.tick()
    home.apply(lambda: decide.accept(home.settings, home.stream, home.now, batch))


def test_after_publishing_the_run_fails_by_name_with_what_is_good_published_and_the_next_goes_on(
    home: Home,
) -> None:
    home.stream = replace(home.stream, thresholds=Thresholds(fail_share=0.4))
    home.put("a", 1, bad=1)
    assert home.run() == 1
    assert home.rows() == Counter(["1-0"])
    done = newest(home)
    assert (done.status, done.exit_code, (done.error or {})["code"], done.batches) == (
        "failed",
        65,
        "too-many-refused",
        (0,),
    )
    home.put("b", 2)
    home.run()
    assert home.rows() == Counter(["1-0", "2-0"])
    assert (newest(home).status, newest(home).error, newest(home).batches) == ("done", None, (1,))


def test_before_publishing_the_batch_is_held_again_and_again_until_it_is_accepted(home: Home) -> None:
    home.stream = replace(home.stream, thresholds=Thresholds(fail_records=1, when="before"))
    home.put("a", 1, bad=2)
    for _ in range(2):
        with pytest.raises(
            BatchHeld, match="batch 0 of generation 1 is held: 2 of 3 records were refused, the row allows 1"
        ):
            home.run()
        assert home.rows() == Counter()
    (batch,) = refused_records.batches(home.layout, home.name)
    assert (batch.manifest, batch.state("malformed"), refused_records.reasons(batch)) == (
        None,
        "held",
        Counter(malformed=2),
    )
    assert not decide.plan(home.settings, home.stream, home.tick(), "discard", decide.Asked()).steps
    with pytest.raises(Refused, match="batch 1 of generation 1 is not held: held is batch 0"):
        decide.accept(home.settings, home.stream, home.now, 1)
    accept(home, 0)
    assert home.run() == 1
    assert (home.rows(), home.quarantined().total(), newest(home).status) == (Counter(["1-0"]), 2, "done")
    with pytest.raises(Refused, match="none is held"):
        decide.accept(home.settings, home.stream, home.tick(), 0)
    home.put("b", 2, bad=2)
    with pytest.raises(BatchHeld, match="batch 1 of"):
        home.run()


@pytest.mark.broker
def test_a_topic_gets_no_message_of_a_held_batch_and_each_once_when_it_is_accepted(
    broker: Settings, spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Stream(
        "retenidas", Files("json", settle_s=0), Topic("retenidas", key="InvoiceNumber"), checks=CHECKS
    )
    stream = replace(stream, thresholds=Thresholds(fail_records=0, when="before"))
    topics.apply(topics.plan(broker, [stream]))
    home = Home.at(tmp_path, spark, stream, broker.kafka_bootstrap)
    monkeypatch.setattr(facturas, "lineas", facturas.notificaciones)
    home.put("a", 1, 2, bad=1)
    with pytest.raises(BatchHeld):
        home.run()
    assert list(consume.read(home.settings, "retenidas")) == []
    assert refused_records.reasons(refused_records.batches(home.layout, home.name)[0]) == Counter(malformed=1)
    accept(home, 0)
    for _ in range(2):
        home.run()
    assert Counter(r.key for r in consume.read(home.settings, "retenidas")) == Counter([b"1", b"2"])
