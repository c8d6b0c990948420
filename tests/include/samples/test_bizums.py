"""Samples of bizums: they come out the same again, and know what must come out of a run over them."""

from __future__ import annotations

from datetime import UTC, datetime

from include import streams
from include.samples import bizums, feed


def test_dated_samples_end_before_today_and_know_the_highest_of_each_person_and_day() -> None:
    kind, now = feed.kind(streams.get("bizums_fechados")), datetime(2026, 11, 25, 13, tzinfo=UTC)
    lines = list(kind.documents(50, 3, int(now.timestamp() * 1000)))
    times = [line.rpartition(";")[2] for line in lines]
    days = {line.rpartition(";")[2][:10] for line in lines}
    assert days <= {
        "2026-11-21",
        "2026-11-22",
        "2026-11-23",
        "2026-11-24",
    }  # one in ten comes up to six hours late
    assert kind.totals(lines) == {
        "bizums": 50,
        "out_of_order": sum(sent < max(times[: n + 1]) for n, sent in enumerate(times)),
        "people_and_days": len(
            {(bizums.person(line.split(";")[0]), line.rpartition(";")[2][:10]) for line in lines}
        ),
        "amount": round(sum(float(line.split(";")[1]) for line in lines), 2),
    }
    assert kind.purpose(kind.totals(lines)) == "all 50 are good; 6 are out of order, up to 6 hours late"


def test_a_sample_says_what_it_contains_on_purpose() -> None:
    kind = feed.kind(streams.get("bizums"))
    lines = list(kind.documents(300, 3, 0))
    good, blank = sum(bizums.good(line) is not None for line in lines), lines.count("")
    told = (
        f"300 lines: {good} good, {300 - good - blank} malformed on purpose (they go to cuarentena), "
        f"{blank} blank (no records)"
    )
    assert kind.purpose(kind.totals(lines)) == told
    assert blank > 0
    invoices = feed.kind(streams.get("facturas_kafka"))
    assert (
        invoices.purpose(invoices.totals(invoices.documents(20, 1, 0)))
        == "all 20 are good, in the order of their time"
    )
