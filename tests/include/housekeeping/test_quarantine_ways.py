"""Any order of runs, mended rules and verbs: each record comes out once. Planners, engine and intake are the
real ones; only Spark is simulated, in a page of code.

The rule in `reset` and `rewind` is that a record is read from its first file or from its delivery. Without
it, most of these orders give a record twice."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from include import intake
from include import settings as caudal
from include.account import quarantine as account
from include.housekeeping import apply as housekeeping
from include.housekeeping.files import archive
from include.housekeeping.generations import reset, retire, rewind, rollover, undo
from include.housekeeping.plan import Plan
from include.housekeeping.refused import decide as quarantine
from include.housekeeping.refused.decide import Asked
from include.state import generations, refused_records
from include.state.generations import Generation
from jobs.contract.commit import batch_plan, checkpoint, manifest
from jobs.contract.commit.manifest import Manifest
from jobs.contract.disk.layout import MANIFEST
from jobs.contract.errors import Refused
from tests.include.housekeeping.handmade import NOW, STREAM
from tests.include.killing import memory

__all__ = ["memory"]


class Played:
    """A home whose runs are simulated: they plan, publish and commit as Spark and the job do.

    `mended`: records that were bad are good now.
    """

    def __init__(self, path: Path) -> None:
        self.settings = caudal.load({"CAUDAL_HOME": str(path)})
        self.layout, self.now, self.mended = self.settings.layout, NOW, False
        self.delivered = self.records = 0

    def tick(self) -> None:
        self.now += timedelta(minutes=1)

    def put(self) -> None:
        """A file of a good and two bad records."""
        folder = self.layout.entrada("s")
        folder.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps({"id": self.records + n, "bad": n > 0}) for n in range(3)]
        (folder / f"f{self.delivered}.json").write_text("".join(f"{line}\n" for line in lines))
        self.delivered += 1
        self.records += 3

    def run(self) -> None:
        intake.admit(self.layout, STREAM, lambda: self.now.timestamp() + 3600, lambda _: None)
        current = generations.current(self.layout, "s") or generations.begin(
            self.layout, Generation("s", 1, 0, "", {}, "now")
        )
        path = self.layout.checkpoint("s", current.number)
        for folder in ("offsets", "commits", "sources/0"):
            (path / folder).mkdir(parents=True, exist_ok=True)
        (path / "metadata").write_text(json.dumps({"id": f"q{current.number}"}))
        newest = checkpoint.read(path).newest_offset
        end = int(checkpoint.read_offset(path, newest).position["logOffset"]) if newest >= 0 else -1
        through = self._log(path)
        if through > end:
            self._batch(path, current.number, newest + 1, through)

    def _log(self, path: Path) -> int:
        """Enters new files into the source log; its newest offset."""
        known = {e.name: e.log_offset for e in checkpoint.all_entries(path)}
        newest = max(known.values(), default=-1)
        fresh = [name for name in intake.waiting_files(self.layout, STREAM) if name not in known]
        if fresh:
            newest += 1
            urls = [f"file://{quote(str(self.layout.en_proceso('s') / name))}" for name in fresh]
            lines = [json.dumps({"path": url, "timestamp": 1, "batchId": newest}) for url in urls]
            (path / "sources/0" / str(newest)).write_text("\n".join(["v1", *lines]))
        return newest

    def _batch(self, path: Path, generation: int, batch: int, through: int) -> None:
        (path / "offsets" / str(batch)).write_text(
            f'v1\n{{"batchWatermarkMs":0,"batchTimestampMs":1,"conf":{{}}}}\n{{"logOffset":{through}}}'
        )
        plan = batch_plan.read(path, batch, f"q{generation}")
        good, bad = [], []
        for file in plan.files:
            for raw in (self.layout.en_proceso("s") / file.name).read_bytes().split(b"\n"):
                if raw.strip():
                    (bad if json.loads(raw)["bad"] and not self.mended else good).append(
                        (file.name, raw.decode())
                    )
        digest = self._refuse(generation, batch, bad) if bad else ""
        folder = self.layout.batch("s", generation, batch)
        folder.mkdir(parents=True)
        (folder / "part-0").write_text("".join(f"{raw}\n" for _, raw in good))
        counts = (len(good) + len(bad), len(good), len(bad), digest)
        made = Manifest(
            "s",
            f"q{generation}",
            generation,
            batch,
            plan.input_digest,
            plan.start,
            plan.end,
            (),
            *counts,
            "run",
        )
        (folder / MANIFEST).write_bytes(made.to_json())
        (path / "commits" / str(batch)).write_text('v1\n{"nextBatchWatermarkMs":0}')

    def _refuse(self, generation: int, batch: int, bad: list[tuple[str, str]]) -> str:
        folder = self.layout.refused_records("s", generation, batch)
        folder.mkdir(parents=True)
        lines = [
            json.dumps({"reason": "bad", "origin": name, "raw": raw, "run_id": "run"}) for name, raw in bad
        ]
        (folder / "part-0").write_text("".join(f"{line}\n" for line in lines))
        return refused_records.digest(folder)

    def do(self, planner: Callable[[], Plan]) -> bool:
        """False when the verb was refused: then nothing was changed."""
        self.tick()
        try:
            made = planner()
            housekeeping.apply(self.settings, made, planner, self.now)
        except Refused:
            return False
        return bool(made.steps)

    def rows(self) -> Counter[int]:
        parts = self.layout.salida("s").glob("gen=*/batch=*/part-*")
        return Counter(json.loads(line)["id"] for part in parts for line in part.read_text().splitlines())

    def open(self) -> int:
        return sum(g.records for g in account.groups(self.layout, "s") if g.state == "open")


def decide(home: Played, verb: quarantine.Verb = "reprocess") -> bool:
    return home.do(lambda: quarantine.plan(home.settings, STREAM, home.now, verb, Asked()))


def back(home: Played, dice: random.Random) -> bool:
    current = generations.current(home.layout, "s")
    published = list(manifest.published(home.layout.output("s", current.number))) if current else []
    return home.do(
        lambda: rewind.plan(
            home.settings, STREAM, home.now, to_batch=dice.choice([-1, *published[:-1]]) if published else -1
        )
    )


def step(home: Played, dice: random.Random) -> str:
    """One thing that a person, the clock or a producer does; its name, with a ! where it was refused."""
    ways: dict[str, Callable[[], object]] = {
        "put": home.put,
        "run": home.run,
        "mend": lambda: setattr(home, "mended", not home.mended),
        "archive": lambda: archive.sweep(home.settings, STREAM, home.now) and None,
        "reprocess": lambda: decide(home),
        "reset": lambda: home.do(lambda: reset.plan(home.settings, STREAM, home.now)),
        "rollover": lambda: home.do(lambda: rollover.plan(home.settings, STREAM, home.now)),
        "undo": lambda: home.do(lambda: undo.plan(home.settings, "s", home.now)),
        "rewind": lambda: back(home, random.Random(dice.random())),
    }
    name = dice.choice([*ways, "run", "run", "put", "reprocess"])
    home.tick()
    return f"{name}{'!' if ways[name]() is False else ''}"


@pytest.mark.parametrize("part", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 3))])
def test_in_any_order_each_record_stands_once_in_the_end_and_never_twice_before(
    memory: Path, part: int
) -> None:
    done: Counter[str] = Counter()
    for seed in range(part * 40, part * 40 + 40):
        home, dice, way = Played(memory / str(seed)), random.Random(seed), ["put", "run"]
        home.put()
        home.run()
        for _ in range(14):
            way.append(step(home, dice))
            assert max(home.rows().values(), default=0) <= 1, (seed, way)
        home.mended = True
        home.run()
        while home.open():
            assert decide(home), (seed, way)
            home.run()
        assert home.rows() == Counter(range(home.records)), (seed, way)
        done.update(way)
    assert min(done[name] for name in ("reprocess", "reset", "rewind", "rewind!", "rollover", "undo")) > 3, (
        done
    )


def test_a_generation_that_was_retired_alone_gives_nothing_twice(memory: Path) -> None:
    """Its files do not come back by a reset, so the deliveries of its records do."""
    home = Played(memory / "h")
    home.put()
    home.run()
    home.do(lambda: rollover.plan(home.settings, STREAM, home.now))
    home.mended = True
    assert decide(home)
    home.run()
    assert home.rows() == Counter(range(3))
    assert home.do(lambda: retire.plan(home.settings, STREAM, home.now, generation=1))
    assert home.rows() == Counter([1, 2])
    assert home.do(lambda: reset.plan(home.settings, STREAM, home.now))
    home.run()
    assert home.rows() == Counter([1, 2])
