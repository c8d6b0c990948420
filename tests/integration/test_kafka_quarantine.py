"""Refused records of a topic are never sent to it again. A rewind reads each again, once, byte for byte."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include import streams
from include.account import quarantine as account
from include.housekeeping.generations import rewind
from include.housekeeping.refused import decide
from include.housekeeping.refused.decide import Asked
from include.kafka import consume, produce
from include.kafka.produce import Message
from include.samples import facturas as samples
from include.settings import Settings
from include.torture.runs import multiset
from jobs.contract.errors import Refused
from jobs.contract.stream import Checks
from tests.integration.here import Home
from tests.integration.kafka_homes import START_MS, do, plan, ran

pytestmark = [pytest.mark.spark, pytest.mark.broker]


def test_mended_and_rewound_each_record_stands_once_and_the_topic_has_no_copy(
    spark: Any, fresh: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home.on(spark, tmp_path, "facturas_kafka", fresh.kafka_bootstrap)
    row = streams.get("facturas_kafka")
    sample = samples.generate(20, seed=5, start_ms=START_MS)
    bad = [b"\xff{", json.dumps({**json.loads(sample.documents[0]), "NumberOfItems": 99}).encode()]
    values = [*(d.encode() for d in sample.documents[1:]), *bad]
    produce.produce(fresh, "facturas", [Message(value=value) for value in [*values, None]])
    monkeypatch.setitem(streams.collect()[0], "facturas_kafka", replace(row, checks=Checks()))
    ran(home)
    shown = {s.record.raw: s for s in account.show(home.settings.layout, row, account.Asked())}
    assert set(shown) == {*bad, None}
    origin = {f"{r.topic}/{r.partition}/{r.offset}": r.value for r in consume.read(fresh, "facturas")}
    assert all(origin[s.record.origin] == raw and (s.file, s.line) == ("", None) for raw, s in shown.items())
    with pytest.raises(
        Refused,
        match=r"every reader of the topic .*rewind facturas_kafka --to-batch -1 reads the same offsets again",
    ):
        plan(home, decide.plan, verb="reprocess", asked=Asked())
    do(home, decide.plan, verb="discard", asked=Asked(reasons=("null-value",)))
    monkeypatch.setitem(streams.collect()[0], "facturas_kafka", row)
    do(home, rewind.plan, to_batch=-1)
    ran(home)
    assert home.rows() == multiset(sample.expected_lines())
    assert Counter((g.reason, g.state) for g in account.groups(home.settings.layout, home.stream)) == {
        ("malformed", "open"): 1,
        ("null-value", "open"): 1,
    }
    assert len(origin) == len(values) + 1
