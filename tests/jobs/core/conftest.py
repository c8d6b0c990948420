"""A home with real files, taken in by the real intake, and one run of a stream on the shared Spark
session."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from include import intake
from jobs.contract.commit import manifest
from jobs.contract.commit.manifest import Manifest
from jobs.contract.disk.layout import Layout
from jobs.contract.run.spec import RunSpec
from jobs.contract.stream import Checks, Files, Stream
from jobs.core import run
from jobs.core.read.records import Subject
from jobs.core.session import SETTINGS
from jobs.domain import facturas

CHECKS = Checks(report=("items-count",))


@dataclass
class Home:
    """`runs` counts the runs, so each has its own id."""

    path: Path
    spark: Any
    stream: Stream = field(
        default_factory=lambda: Stream(
            "facturas_ficheros", Files("json", settle_s=0), Files("json"), checks=CHECKS
        )
    )
    subject: Subject = field(default_factory=lambda: Subject(facturas.SCHEMA, facturas.RULES))
    transform: Callable[[Any], Any] = facturas.lineas
    runs: int = 0

    @property
    def layout(self) -> Layout:
        return Layout(self.path)

    def put(self, name: str, text: str) -> None:
        folder = self.layout.entrada(self.stream.folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
        intake.admit(self.layout, self.stream, lambda: 2e9, lambda _: None)

    def run(self) -> dict[str, Any]:
        self.runs += 1
        spec = RunSpec(
            self.stream, f"r{self.runs}", "", "2026-11-23T20:00:00+00:00", str(self.path), 1, "", -1
        )
        self.layout.run(self.stream.name, spec.run_id).mkdir(parents=True)
        return run.stream(self.spark, spec, self.subject, self.transform)

    @property
    def checkpoint(self) -> Path:
        return self.layout.checkpoint(self.stream.name, 1)

    def manifests(self) -> list[Manifest]:
        return [
            manifest.read(p) for p in manifest.published(self.layout.output(self.stream.name, 1)).values()
        ]

    def lines(self) -> list[str]:
        """All published lines, by the documented glob and a plain reader."""
        found = sorted(self.layout.salida(self.stream.name).glob("gen=*/batch=*/part-*"))
        return [line for part in found for line in part.read_text(encoding="utf-8").splitlines()]

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines()]

    def quarantined(self) -> list[dict[str, Any]]:
        found = sorted(
            (self.layout.data / "cuarentena" / self.stream.name).glob("registros/gen=*/batch=*/part-*")
        )
        return [json.loads(line) for part in found for line in part.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def home(tmp_path: Path, spark: Any) -> Iterator[Home]:
    settings = {key.removeprefix("spark.hadoop."): value for key, value in SETTINGS.items()}
    for key, value in settings.items():
        spark.conf.set(key, value)
    yield Home(tmp_path, spark)
