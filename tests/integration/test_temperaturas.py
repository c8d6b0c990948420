"""The IoT activity from topic to windows: the streams, on the real broker, give the reference's rows."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from include import streams
from include.kafka import produce, topics
from include.kafka.produce import Message
from include.samples import temperaturas as samples
from include.settings import Settings
from include.torture.runs import Home, multiset
from tests.integration import here

pytestmark = [pytest.mark.spark, pytest.mark.broker]
MINUTE_MS = 60_000
STRICT, SLIDING, TUMBLING = "temperaturas", "temperaturas_ventanas", "temperaturas_maxima"


def send(settings: Settings, documents: list[str]) -> list[str]:
    topics.apply(topics.plan(settings, list(streams.collect()[0].values())))
    produce.produce(settings, "temperaturas", [Message(value=d.encode()) for d in documents])
    return documents


def maxima(rows: list[dict[str, Any]]) -> Counter[str]:
    return multiset({k: row[k] for k in ("inicio", "fin", "sensor", "maxima")} for row in rows)


@pytest.mark.torture
def test_readings_become_windows_over_three_runs_and_a_fourth_finds_nothing(
    spark: Any, broker: Settings, tmp_path: Path
) -> None:
    strict, sliding, tumbling = (
        here.Home.on(spark, tmp_path, name, broker.kafka_bootstrap) for name in (STRICT, SLIDING, TUMBLING)
    )
    windows, five = (
        samples.Windows(15 * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS),
        samples.Windows(5 * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS),
    )
    start_ms = int(time.time() * 1000) - 400 * samples.MOST_STEP_MS
    documents = list(samples.documents(400, seed=11, start_ms=start_ms))
    future = samples.reading("azotea", 99.0, int(time.time() * 1000) + 60 * MINUTE_MS)
    sliding_rows: Counter[str] = Counter()
    five_rows: Counter[str] = Counter()
    for number, part in enumerate((documents[:250], documents[250:], documents[:3])):
        send(broker, [*part, future] if number == 0 else part)
        sliding.close = tumbling.close = number == 1
        for home in (strict, sliding, tumbling):
            code, out = home.run()
            assert code == 0, out
        sliding_rows += multiset(windows.run(part, sliding.close))
        five_rows += maxima(five.run(part, tumbling.close))
        assert sliding.rows() == sliding_rows
        assert tumbling.rows() == five_rows
    assert (strict.report().records_in, strict.report().quarantined) == (3, 0)
    assert (sliding.report().records_in, sliding.report().rows_out, sliding.report().dropped_late > 0) == (
        3,
        0,
        True,
    )
    assert {k: sliding.report().account[k] for k in ("counted", "records_in", "differences")} == {
        "counted": 3,
        "records_in": 3,
        "differences": [],
    }
    assert len(sliding_rows) == sliding.duckdb_count() == sum(sliding_rows.values())
    sliding.close = False
    assert (sliding.run()[0], sliding.report().status) == (0, "idle")


@pytest.mark.slow
def test_the_launcher_closes_windows_when_it_is_asked_and_not_for_a_stream_without_state(
    spark: Any, broker: Settings, tmp_path: Path
) -> None:
    strict, before = (
        here.Home.on(spark, tmp_path, name, broker.kafka_bootstrap) for name in (STRICT, SLIDING)
    )
    sliding = Home.at(tmp_path, SLIDING, broker.kafka_bootstrap)
    start_ms, read = int(time.time() * 1000) - 60 * samples.MOST_STEP_MS, 0
    words = ("--master", "local[2]", f"jobs/{SLIDING}.py", "--stream", SLIDING, "--close-windows", "yes")
    documents = list(samples.documents(60, seed=5, start_ms=start_ms))
    for part, home, how in ((documents[:30], before, ()), (documents[30:], sliding, words)):
        sent = send(broker, part)
        code, out = strict.run()
        assert code == 0, out
        code, out = home.run(*how)
        assert code == 0, out
        assert home.report().records_in == strict.report().rows_out >= len(sent)
        read += home.report().records_in
    assert " WARN " not in out, out  # the state of the run before is read, a line for each partition
    found = [json.loads(row) for row in sliding.rows().elements()]
    assert sum(row["lecturas"] for row in found) == 3 * read
    code, out = sliding.run(*words)
    assert (code, sliding.report().status) == (0, "idle"), out
    code, out = Home.at(tmp_path, STRICT, broker.kafka_bootstrap).run(
        *(word.replace(SLIDING, STRICT) for word in words)
    )
    assert (code, "no windows to close" in out) == (64, True), out
