"""Seeded temperature readings, and the windows that must come out of them.

The expected values are computed from the readings' own text in plain Python: windows by event time, a
watermark, late readings. So a mistake of the generator or of Spark is not repeated.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from include.samples import bizums

SENSORS = ("azotea", "cocina", "salon", "sotano")
MOST_STEP_MS = 40_000
MINUTE_MS, DELAY_MS = 60_000, 10 * 60_000  # the delay of jobs/domain/iot.py
_BEHIND_SHARE, _MOST_BEHIND_MS = 0.1, 8 * 60_000  # out of order, and within ten minutes of delay


def documents(count: int, seed: int, start_ms: int) -> Iterator[str]:
    """`count` readings, one JSON document each. momento advances from `start_ms` (ms since 1970) by up to 40
    s, and one in ten is up to 8 minutes behind. Temperatures are quarters of a degree, so sums are exact
    in any order. The same arguments give the same bytes."""
    random, time_ms = Random(seed), start_ms  # noqa: S311 - samples must be reproducible; nothing here is a secret
    for _ in range(count):
        time_ms += random.randrange(MOST_STEP_MS)
        behind_ms = random.randrange(_MOST_BEHIND_MS) if random.random() < _BEHIND_SHARE else 0
        yield reading(random.choice(SENSORS), random.randrange(-40, 160) / 4, time_ms - behind_ms)


def reading(sensor: str, temperature: float, time_ms: int) -> str:
    return json.dumps({"sensor": sensor, "temperatura": temperature, "momento": iso(time_ms)})


def iso(time_ms: int) -> str:
    """UTC, to the millisecond: `2026-11-25T10:00:00.000Z`, as Spark writes it."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


def totals_of(documents: Iterable[str]) -> dict[str, float]:
    """What must come out of a run over all of them that closes its windows: readings, rows of both windowed
    streams, the highest temperature."""
    found = list(documents)
    sliding, tumbling = (
        Windows(15 * MINUTE_MS, 5 * MINUTE_MS, DELAY_MS),
        Windows(5 * MINUTE_MS, 5 * MINUTE_MS, DELAY_MS),
    )
    rows = len(sliding.run(found, close=True)), len(tumbling.run(found, close=True))
    highest = max((json.loads(one)["temperatura"] for one in found), default=0.0)
    late = bizums.behind(json.loads(one)["momento"] for one in found)
    return {
        "readings": len(found),
        "out_of_order": late,
        "windows_of_15_minutes": rows[0],
        "maxima_of_5_minutes": rows[1],
        "highest": highest,
    }


Key = tuple[int, int, str]  # start and end of the window in ms, sensor


@dataclass
class Windows:
    """A stream of windows of `length_ms` every `step_ms`, with a watermark `delay_ms` behind the latest
    reading. `late`: readings that came too late, counted once for each of their windows that was published
    already."""

    length_ms: int
    step_ms: int
    delay_ms: int
    watermark_ms: int = 0
    late: int = 0
    open: dict[Key, list[float]] = field(default_factory=dict)

    def run(self, readings: Iterable[str], close: bool = False) -> list[dict[str, Any]]:
        """What a run over `readings`, in one batch, publishes. With `close` the open windows too; the
        watermark is then where the last one ends."""
        latest_ms = -1
        for document in readings:
            found = json.loads(document)
            time_ms = round(datetime.fromisoformat(found["momento"]).timestamp() * 1000)
            latest_ms = max(latest_ms, time_ms)
            self._take(time_ms, found["sensor"], found["temperatura"])
        self.watermark_ms = max(self.watermark_ms, latest_ms - self.delay_ms)
        if close:
            self.watermark_ms = max(self.watermark_ms, *(end for _, end, _ in self.open), 0)
        done = sorted(key for key in self.open if key[1] <= self.watermark_ms)
        return [_row(key, self.open.pop(key)) for key in done]

    def _take(self, time_ms: int, sensor: str, temperature: float) -> None:
        start = time_ms - time_ms % self.step_ms
        while start + self.length_ms > time_ms:
            end = start + self.length_ms
            if end <= self.watermark_ms:
                self.late += 1
            else:
                self.open.setdefault((start, end, sensor), []).append(temperature)
            start -= self.step_ms


def _row(key: Key, found: list[float]) -> dict[str, Any]:
    start, end, sensor = key
    mean = sum(found) / len(found)
    return {
        "inicio": iso(start),
        "fin": iso(end),
        "sensor": sensor,
        "maxima": max(found),
        "media": mean,
        "lecturas": len(found),
    }
