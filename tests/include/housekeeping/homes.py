"""A home whose runs are real, on the shared Spark session: intake, the launcher's plan, and publish.

The tests look at its current generation.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import duckdb

from include import intake
from include import settings as caudal
from include.housekeeping import apply as housekeeping
from include.housekeeping import engine
from include.housekeeping.files import archive as archives
from include.housekeeping.plan import Plan
from include.launch import plan as launch
from include.settings import Settings
from include.state import generations, journal, run_ids
from jobs.contract.commit import manifest
from jobs.contract.disk import storage
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import AccountMismatch
from jobs.contract.stream import Checks, Files, Stream
from jobs.core import run
from jobs.core.read.records import Subject
from jobs.core.session import SETTINGS
from jobs.domain import facturas

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
Planner = Callable[[], Plan]
CHECKS = Checks(report=("items-count",))


def invoice(number: int, items: int = 1) -> str:
    lines = [
        {"ItemCode": f"{number}-{i}", "ItemPrice": 1.5, "ItemQty": 2, "TotalValue": 3.0} for i in range(items)
    ]
    return json.dumps(
        {"InvoiceNumber": str(number), "CreatedTime": 1, "TotalAmount": 9.5, "InvoiceLineItems": lines}
    )


@dataclass
class Home:
    """`now` advances by a minute with every operation, so that ids sort.

    `put` returns the item codes that must come out of the file, each once.
    """

    settings: Settings
    spark: Any
    stream: Stream = field(
        default_factory=lambda: Stream(
            "facturas_ficheros", Files("json", settle_s=0), Files("json"), checks=CHECKS
        )
    )
    now: datetime = NOW

    @classmethod
    def at(cls, path: Path, spark: Any, stream: Stream | None = None, bootstrap: str = "") -> Home:
        for key, value in SETTINGS.items():
            spark.conf.set(key.removeprefix("spark.hadoop."), value)
        environ = {k: v for k, v in os.environ.items() if not k.startswith("CAUDAL_KAFKA")}
        settings = caudal.load(environ | {"CAUDAL_HOME": str(path), "CAUDAL_KAFKA_BOOTSTRAP": bootstrap})
        return cls(settings, spark, stream) if stream else cls(settings, spark)

    @property
    def layout(self) -> Layout:
        return self.settings.layout

    @property
    def name(self) -> str:
        return self.stream.name

    def tick(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    # what goes in

    def put(self, name: str, *numbers: int, bad: int = 0) -> Counter[str]:
        """Delivers and admits a file with an invoice for each number, and `bad` broken lines."""
        folder = self.layout.entrada(self.stream.folder)
        folder.mkdir(parents=True, exist_ok=True)
        lines = [invoice(n) for n in numbers] + [f'{{"broken {name} {i}' for i in range(bad)]
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        intake.admit(self.layout, self.stream, lambda: 2e9, lambda _: None)
        return Counter(f"{n}-0" for n in numbers)

    # a run, as the launcher and the driver do it, without a process of its own

    def plan(self) -> launch.Plan:
        found = launch.positions(self.settings, self.stream)
        current = generations.current(self.layout, self.name)
        current = current or generations.begin(
            self.layout, launch.first_generation(self.stream, found, self.now)
        )
        run_id = run_ids.after(self.layout, self.name, self.tick())
        return launch.make(
            self.settings,
            launch.spec(self.settings, self.stream, current, run_id, "", self.now),
            current,
            found,
        )

    def run(self) -> int:
        """Finishes what was cut short, then one run; how many batches it reported."""
        for operation in engine.redo(self.layout, self.name, self.now):
            assert operation.kind
        made = self.plan()
        folder = self.layout.run(self.name, made.spec.run_id)
        folder.mkdir(parents=True)
        query = (
            run.stream(self.spark, made.spec, self.subject, facturas.lineas) if made.waiting.anything else {}
        )
        done = run._final(self.layout, made.spec, query, None, 0.0)
        assert not done.error or done.error["code"] != AccountMismatch.code, done.error
        storage.replace(folder / "report.json", done.to_json())
        return len(done.batches)

    @property
    def subject(self) -> Subject:
        return Subject(facturas.SCHEMA, facturas.RULES)

    # housekeeping

    def apply(self, planner: Planner) -> Plan:
        made = planner()
        housekeeping.apply(self.settings, made, planner, self.now)
        return made

    def archive(self) -> None:
        """Archives every committed file, as happens after each run."""
        archives.sweep(self.settings, self.stream, self.tick())

    @property
    def generation(self) -> int:
        return generations.numbers(self.layout, self.name)[-1]

    @property
    def checkpoint(self) -> Path:
        return self.layout.checkpoint(self.name, self.generation)

    # what comes out

    def glob(self) -> str:
        return f"{self.layout.salida(self.name)}/gen=*/batch=*/part-*"

    def rows(self) -> Counter[str]:
        """Item codes, by the documented glob: a plain reader and DuckDB must agree."""
        parts = sorted(self.layout.salida(self.name).glob("gen=*/batch=*/part-*"))
        plain = Counter(
            json.loads(line)["ItemCode"]
            for part in parts
            for line in part.read_text(encoding="utf-8").splitlines()
        )
        if plain:
            query = f"SELECT ItemCode FROM read_json('{self.glob()}', format = 'newline_delimited')"
            assert Counter(row[0] for row in duckdb.sql(query).fetchall()) == plain
        return plain

    def quarantined(self) -> Counter[str]:
        """Raw lines that count: those whose batch's manifest names a quarantine."""
        found: Counter[str] = Counter()
        for number in generations.live(self.layout, self.name):
            for batch, folder in manifest.published(self.layout.output(self.name, number)).items():
                if manifest.read(folder).quarantined:
                    parts = self.layout.refused_records(self.name, number, batch).glob("part-*")
                    found += Counter(
                        json.loads(line)["raw"]
                        for part in parts
                        for line in part.read_text(encoding="utf-8").splitlines()
                    )
        return found

    def files(self, place: Path) -> list[str]:
        """Names as delivered, of the files below a folder."""
        return sorted(
            p.name.split("-", 2)[-1] for p in place.rglob("*") if p.is_file() and not p.name.startswith(".")
        )

    def batches(self) -> list[int]:
        return list(manifest.published(self.layout.output(self.name, self.generation)))

    def operations(self) -> list[journal.Operation]:
        return journal.operations(self.layout.journal(self.name))


def kept(prepare: Callable[[Home], None]) -> Callable[[Home], None]:
    """Runs `prepare` once per process. Later tests get a copy of the home that it left, instead of two or
    three runs of a second each. The home must be empty, and `prepare` must always do the same."""
    left: list[tuple[Path, datetime]] = []

    @wraps(prepare)
    def copied(home: Home) -> None:
        path = home.settings.home
        if not left:
            prepare(home)
            copy = Path(tempfile.mkdtemp(prefix=f"{prepare.__name__}-", dir=path.parent))
            shutil.copytree(path, copy, dirs_exist_ok=True)
            left.append((copy, home.now))
        else:
            shutil.copytree(left[0][0], path, dirs_exist_ok=True)
            home.now = left[0][1]

    return copied


def tree(home: Path) -> dict[str, str]:
    """All data and generation records of a home: relative path -> content hash.

    The path of an empty folder ends with /.
    """
    found: dict[str, str] = {}
    for part in ("data", "state/generations"):
        for parent, folders, names in os.walk(home / part):
            for name in names:
                path = Path(parent, name)
                found[str(path.relative_to(home))] = hashlib.sha256(path.read_bytes()).hexdigest()
            if not folders and not names:
                found[f"{Path(parent).relative_to(home)}/"] = ""
    return found


def files_of(found: dict[str, str]) -> dict[str, str]:
    """A tree without its empty folders, because a move may leave or make one."""
    return {path: content for path, content in found.items() if not path.endswith("/")}


def promised(before: dict[str, str], plan: Plan) -> dict[str, str]:
    """The tree that the plan's steps lead to, worked out on a listing alone."""
    now = files_of(before)
    for step in plan.steps:
        below = (
            {p for p in now if p == step.source or p.startswith(f"{step.source}/")} if step.source else set()
        )
        assert below or step.verb == "write" or f"{step.source}/" in before, step
        if step.verb == "write":
            assert step.target not in now
            now[step.target] = hashlib.sha256(step.data.encode()).hexdigest()
        for path in below:
            content = now.pop(path)
            if step.verb == "move":
                now[step.target + path.removeprefix(step.source)] = content
    return now


def as_promised(home: Home, planner: Planner) -> Plan:
    """Applies the plan, and compares the disk with what the plan listed: nothing less, nothing more."""
    before = tree(home.settings.home)
    made = planner()
    assert files_of(tree(home.settings.home)) == files_of(before), "planning changed something"
    housekeeping.apply(home.settings, made, planner, home.now)
    assert files_of(tree(home.settings.home)) == promised(before, made)
    return made
