"""Samples of bizums: they come out the same again, and know what must come out of a run over them."""

from __future__ import annotations

from datetime import UTC, datetime

from include import streams
from include.samples import bizums, kinds


def test_dated_samples_end_before_today_and_know_the_highest_of_each_person_and_day() -> None:
    kind, now = kinds.of(streams.get("bizums_fechados")), datetime(2026, 11, 25, 13, tzinfo=UTC)
    lines = list(kind.documents(50, 3, int(now.timestamp() * 1000)))
    days = {line.rpartition(";")[2][:10] for line in lines}
    assert days <= {"2026-11-21", "2026-11-22", "2026-11-23", "2026-11-24"}  # one in ten comes up to six hours late
    assert kind.totals(lines) == {
        "bizums": 50,
        "people_and_days": len({(bizums.person(line.split(";")[0]), line.rpartition(";")[2][:10]) for line in lines}),
        "amount": round(sum(float(line.split(";")[1]) for line in lines), 2),
    }
