"""A home with a stream that has published, written by hand as intake, Spark and the job leave it: each test
breaks one thing in it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from include import intake, streams
from include import settings as caudal
from include.doctor.findings import Finding
from include.services import home
from include.settings import Settings
from include.state import generations
from include.state.generations import Generation
from jobs.contract.commit import manifest
from jobs.contract.commit.batch_plan import read as batch_plan
from jobs.contract.commit.manifest import Manifest
from jobs.contract.disk import storage
from jobs.contract.disk.layout import MANIFEST
from jobs.contract.run import report
from jobs.contract.run.report import Report

STREAM = "facturas_ficheros"
QUERY = "0b3d7b62-2e0f-4a53-9a55-1f2d3c4b5a69"
RUN = "20261123T120000000Z-1f2e3d4c"


def lines(found: Iterable[Finding], state: str = "wrong") -> list[str]:
    return [finding.what for finding in found if finding.state == state]


def fresh(folder: Path) -> Settings:
    """Settings of a new home with the folders `up` makes, and the environment's own cache."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith("CAUDAL_")}
    made = replace(caudal.load({**keep, "CAUDAL_HOME": str(folder)}), cache=caudal.load().cache)
    home.make(made.layout)
    return made


@pytest.fixture
def empty(tmp_path: Path) -> Settings:
    return fresh(tmp_path / "home")


@pytest.fixture
def published(tmp_path: Path) -> Settings:
    """Two files admitted by the real intake; batches 0 and 1 planned, committed and published, one file
    each."""
    settings = fresh(tmp_path / "home")
    layout, stream = settings.layout, streams.get(STREAM)
    quick = replace(stream, source=replace(stream.source, settle_s=0.0))
    layout.entrada(stream.folder).mkdir()
    for number in range(2):
        (layout.entrada(stream.folder) / f"{number}.json").write_text(f'{{"InvoiceNumber":"{number}"}}\n')
        intake.admit(layout, quick, time.time, time.sleep)
    generations.begin(layout, Generation(STREAM, 1, 0, "", {}, "2026-11-23T12:00:00+00:00"))
    path = layout.checkpoint(STREAM, 1)
    for folder in ("offsets", "commits", "sources/0"):
        (path / folder).mkdir(parents=True)
    (path / "metadata").write_text(json.dumps({"id": QUERY}))
    for batch, name in enumerate(intake.waiting_files(layout, stream)):
        _batch(settings, batch, name)
    folder = layout.run(STREAM, RUN)
    storage.make_dirs(folder)
    done = Report(
        STREAM,
        RUN,
        "done",
        "2026-11-23T12:00:00+00:00",
        generation=1,
        batches=(0, 1),
        last_batch=1,
        records_in=2,
        rows_out=2,
    )
    (folder / "report.json").write_bytes(done.to_json())
    assert report.read(folder / "report.json") == done
    return settings


def _batch(settings: Settings, batch: int, name: str) -> None:
    layout = settings.layout
    path, file = layout.checkpoint(STREAM, 1), layout.en_proceso(STREAM) / name
    meta = json.dumps({"batchWatermarkMs": 0, "batchTimestampMs": 1, "conf": {}})
    entry = json.dumps(
        {"path": f"file://{file}", "timestamp": int(file.stat().st_mtime * 1000), "batchId": batch}
    )
    (path / "offsets" / str(batch)).write_text(f'v1\n{meta}\n{{"logOffset":{batch}}}')
    (path / "sources" / "0" / str(batch)).write_text(f"v1\n{entry}")
    (path / "commits" / str(batch)).write_text('v1\n{"nextBatchWatermarkMs":0}')
    plan = batch_plan(path, batch, QUERY)
    folder = layout.batch(STREAM, 1, batch)
    folder.mkdir(parents=True)
    made = Manifest(STREAM, QUERY, 1, batch, plan.input_digest, plan.start, plan.end, (), 1, 1, 0, "", RUN)
    (folder / MANIFEST).write_bytes(made.to_json())
    assert manifest.read(folder).identity == plan.identity
