"""A strict stream of temperatures and streams with state that read what it has published, in one home, run as
the launcher runs them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from include.launch import waiting
from include.samples import temperaturas as samples
from include.state import upstream
from jobs.contract.commit.protocol import Next, Proceed
from jobs.contract.run import report
from jobs.contract.run.spec import RunSpec
from jobs.contract.stream import Checks, EventTime, Files, Published, Stream
from jobs.core import run
from jobs.core.read.records import Subject
from jobs.domain import iot
from tests.jobs.core.conftest import Home

START_MS = 1_764_064_800_000  # 2025-11-25 10:00:00 UTC
MINUTE_MS = 60_000
CHECKS = Checks(event_time=EventTime("momento", "timestamp", future_s=600))
DAY_S = START_MS / 1000 + 86_400


def upper(path: Path, spark: Any, sink: Any = "parquet", checks: Checks = CHECKS) -> Home:
    """The strict stream; its records come by files, admitted a day after START_MS."""
    spark.conf.set("spark.sql.shuffle.partitions", "2")  # each is a state of its own: half the time of four
    stream = Stream(
        "temperaturas",
        Files("json", settle_s=0),
        Files(sink) if isinstance(sink, str) else sink,
        checks=checks,
    )
    return Home(path, spark, stream, Subject(iot.SCHEMA, iot.RULES), iot.lecturas)


class Lower(Home):
    """A stream that reads the other's output. `spec`: of its newest run."""

    spec: RunSpec

    def run(self, close: bool = False) -> dict[str, Any]:
        self.runs += 1
        self.spec = RunSpec(
            self.stream,
            f"r{self.runs}",
            "",
            "2026-11-23T20:00:00+00:00",
            str(self.path),
            1,
            "",
            -1,
            close_windows=close,
        )
        self.layout.run(self.stream.name, self.spec.run_id).mkdir(parents=True)
        return run.stream(self.spark, self.spec, self.subject, self.transform)

    def newest(self, number: int) -> list[dict[str, Any]]:
        """Rows of the batches from `number` on, in order of window and sensor."""
        found = [
            f
            for f in sorted(self.layout.output(self.stream.name, 1).glob("batch=*/part-*"))
            if int(f.parent.name[6:]) >= number
        ]
        rows = [json.loads(line) for part in found for line in part.read_text(encoding="utf-8").splitlines()]
        return sorted(rows, key=lambda r: (r["inicio"], r["fin"], r["sensor"]))

    def waiting(self, close: bool = False) -> waiting.Waiting:
        return waiting.published(self.layout, self.stream, 1, Proceed(Next.ONWARD, 0), close)

    def unread(self) -> int:
        return len(upstream.unread(self.layout, self.stream, 1))

    def report(self) -> report.Report:
        return report.with_published(report.of(self.spec, "done"), self.layout.output(self.stream.name, 1))


def lower(
    above: Home, name: str = "temperaturas_ventanas", transform: Any = iot.ventanas, **row: Any
) -> Lower:
    sink = above.stream.sink
    assert isinstance(sink, Files)
    stream = Stream(name, Published("temperaturas", sink), Files("json"), **{"stateful": True, **row})
    return Lower(above.path, above.spark, stream, Subject(iot.SCHEMA, {}), transform)


def feed(above: Home, name: str, documents: list[str]) -> None:
    """Through the strict stream: a file, and a run of its own."""
    above.put(name, "".join(f"{d}\n" for d in documents))
    above.run()


def at(minute: float, temperature: float = 20.0, sensor: str = "azotea") -> str:
    return samples.reading(sensor, temperature, START_MS + round(minute * MINUTE_MS))


def with_limits(home: Home, **limits: int) -> None:
    home.stream = replace(home.stream, limits=replace(home.stream.limits, **limits))
