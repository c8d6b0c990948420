"""A stream that reads another stream's output: what is waiting, and what happens when the other one is rolled
over, retired, reset or rewound.

Files of both are written by hand, as Spark and the job leave them; housekeeping is the real one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include import settings as caudal
from include import streams
from include.account import checkpoints
from include.cli.operate import _checkpoint
from include.doctor import streams as doctor
from include.housekeeping import apply
from include.housekeeping.generations import reset, retire, rewind, rollover, undo
from include.housekeeping.plan import Plan
from include.launch import plan, waiting
from include.state import generations, upstream
from include.state.generations import Generation
from jobs.contract.commit.manifest import Manifest, OutputFile
from jobs.contract.commit.protocol import Next, Proceed
from jobs.contract.commit.upstream import Part
from jobs.contract.disk.layout import MANIFEST
from jobs.contract.errors import PlannedFileMissing, Refused, UpstreamTakenBack
from jobs.contract.stream import Files, Stream

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
UPPER = Stream("temperaturas", Files(settle_s=0.0), Files("parquet"))


@dataclass
class Pair:
    """`temperaturas`, as a stream of files, and the registered `temperaturas_ventanas`, in one home."""

    path: Path

    def __post_init__(self) -> None:
        self.settings = caudal.load({"CAUDAL_HOME": str(self.path)})
        self.layout = self.settings.layout
        self.reader = streams.get("temperaturas_ventanas")

    def begin(self, name: str, number: int) -> None:
        generations.begin(self.layout, Generation(name, number, number - 1, "", {}, NOW.isoformat()))

    def publish(self, generation: int, batch: int, records: int = 3) -> Part:
        folder, name = (
            self.layout.batch("temperaturas", generation, batch),
            f"part-0000-{generation}-{batch}.parquet",
        )
        folder.mkdir(parents=True)
        (folder / name).write_bytes(b"x" * 10)
        file = OutputFile(name, 10, "", records)
        made = Manifest(
            "temperaturas",
            f"q{generation}",
            generation,
            batch,
            "d",
            {},
            {"logOffset": batch},
            (file,),
            records,
            records,
            0,
            "",
            "r",
        )
        (folder / MANIFEST).write_bytes(made.to_json())
        return Part(generation, batch, name)

    def read(self, batch: int, *parts: Part, committed: bool = True) -> None:
        """The reader's checkpoint, with `batch` planned from these part files."""
        path = self.layout.checkpoint(self.reader.name, 1)
        for folder in ("offsets", "commits", "sources/0"):
            (path / folder).mkdir(parents=True, exist_ok=True)
        (path / "metadata").write_text('{"id":"q"}')
        lines = [
            {"path": f"file://{p.path(self.layout, 'temperaturas')}", "timestamp": 1, "batchId": batch}
            for p in parts
        ]
        (path / f"sources/0/{batch}").write_text(
            "\n".join(["v1", *(json.dumps(line, separators=(",", ":")) for line in lines)])
        )
        meta = json.dumps({"batchWatermarkMs": 0, "batchTimestampMs": 1, "conf": {}})
        (path / f"offsets/{batch}").write_text(f'v1\n{meta}\n{{"logOffset":{batch}}}')
        if committed:
            (path / f"commits/{batch}").write_text('v1\n{"nextBatchWatermarkMs":0}')

    def unread(self) -> list[Part]:
        return upstream.unread(self.layout, self.reader, 1)

    def apply(self, planner: Callable[[], Plan]) -> Plan:
        made = planner()
        apply.apply(self.settings, made, planner, NOW)
        return made


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    made = Pair(tmp_path)
    made.begin("temperaturas", 1)
    made.begin("temperaturas_ventanas", 1)
    return made


def test_before_the_other_stream_has_run_nothing_is_waiting(pair: Pair) -> None:
    assert waiting.published(
        pair.layout, pair.reader, 1, Proceed(Next.FRESH, 0), close=True
    ) == waiting.Waiting(False)


def test_part_files_wait_until_a_batch_was_planned_from_them_and_empty_ones_for_others(pair: Pair) -> None:
    first, second = pair.publish(1, 0), pair.publish(1, 1, records=4)
    pair.publish(1, 2, records=0)
    assert pair.unread()[:2] == [first, second]
    pair.read(0, first)
    assert waiting.published(
        pair.layout, pair.reader, 1, Proceed(Next.ONWARD, 1), close=False
    ) == waiting.Waiting(False, 1, 10, 4)
    pair.read(1, second)
    assert not waiting.published(pair.layout, pair.reader, 1, Proceed(Next.ONWARD, 1), close=False).anything
    assert waiting.published(pair.layout, pair.reader, 1, Proceed(Next.ONWARD, 1), close=True).closing
    generation = generations.current(pair.layout, pair.reader.name)
    assert generation is not None
    assert plan.first_generation(pair.reader, None, NOW).start == ""


def test_a_part_file_that_waits_and_is_not_what_was_published_is_refused(pair: Pair) -> None:
    part = pair.publish(1, 0)
    part.path(pair.layout, "temperaturas").write_bytes(b"short")
    with pytest.raises(PlannedFileMissing, match="5 bytes now, 10 when it was published"):
        waiting.published(pair.layout, pair.reader, 1, Proceed(Next.FRESH, 0), close=False)


def test_a_rollover_of_the_other_stream_goes_on_and_its_old_generation_may_be_retired_once_it_was_read(
    pair: Pair,
) -> None:
    first = pair.publish(1, 0)
    pair.begin("temperaturas", 2)
    second = pair.publish(2, 0)
    with pytest.raises(Refused, match=r"has not read 1 part files of generation 1 yet.*") as refused:
        retire.plan(pair.settings, UPPER, NOW, generation=1)
    assert "./caudal run temperaturas_" in refused.value.way_cli
    for name in streams.readers("temperaturas"):
        pair.reader = streams.get(name)
        pair.read(0, first)
    assert pair.unread() == [second]
    pair.apply(lambda: retire.plan(pair.settings, UPPER, NOW, generation=1))
    assert pair.unread() == [second]


def test_a_reset_of_the_other_stream_refuses_its_reader_until_that_is_reset_or_the_other_undone(
    pair: Pair,
) -> None:
    pair.read(0, pair.publish(1, 0))
    (pair.layout.archivo("temperaturas")).mkdir(parents=True)
    made = pair.apply(lambda: reset.plan(pair.settings, UPPER, NOW))
    assert any("temperaturas_ventanas has read these rows" in said for said in made.summary)
    with pytest.raises(
        UpstreamTakenBack,
        match=r"1 part files .* no longer published by temperaturas: gen=0001/batch=000000000/part-",
    ) as error:
        pair.unread()
    error.value.name_stream("temperaturas_ventanas")
    assert "./caudal generation reset temperaturas_ventanas" in str(error.value)
    assert [f.state for f in doctor.examine(pair.layout, pair.reader)][-1] == "wrong"
    pair.apply(lambda: undo.plan(pair.settings, UPPER.name, NOW))
    assert pair.unread() == []


def test_after_its_own_reset_the_reader_begins_with_what_is_published_now(pair: Pair) -> None:
    pair.read(0, pair.publish(1, 0))
    pair.apply(lambda: reset.plan(pair.settings, UPPER, NOW))
    again = pair.publish(2, 0)
    made = pair.apply(lambda: reset.plan(pair.settings, pair.reader, NOW))
    assert any("reads what temperaturas publishes now" in said for said in made.summary)
    assert upstream.unread(pair.layout, pair.reader, 2) == [again]


def test_rows_that_were_published_anew_under_their_number_are_a_rewind(pair: Pair) -> None:
    part = pair.publish(1, 0)
    pair.read(0, part)
    path = part.path(pair.layout, "temperaturas")
    path.rename(path.with_name("part-0000-other.parquet"))
    with pytest.raises(UpstreamTakenBack):
        pair.unread()


def test_a_generation_that_vanished_without_a_retirement_is_refused(pair: Pair) -> None:
    pair.read(0, pair.publish(1, 0))
    pair.layout.output("temperaturas", 1).rename(pair.path / "away")
    with pytest.raises(UpstreamTakenBack):
        pair.unread()


def test_the_checkpoint_is_explained_with_its_source_log_and_what_it_reads(pair: Pair) -> None:
    first, _ = pair.publish(1, 0), pair.publish(1, 1, records=4)
    pair.read(0, first, committed=False)
    found = checkpoints.explain(pair.layout, pair.reader, NOW)
    assert (found.sound, found.growth.log_files, found.batches[0].end) == (True, 1, '{"logOffset":0}')
    assert found.next_step.startswith(f"batch 0 is planned (1 file, first {first.name}), but not committed")
    looked = plan.look(pair.layout, pair.reader, checkpoints.current(pair.layout, pair.reader), None)
    assert looked == waiting.Waiting(True, 1, 10, 4)
    assert (
        _checkpoint._waiting_words(looked, pair.reader)
        == "4 records in 1 files that temperaturas has published"
    )
    assert [f.state for f in doctor.examine(pair.layout, pair.reader)][-1] == "ok"


@pytest.mark.parametrize("verb", ["rollover", "rewind"])
def test_a_stateful_reader_is_neither_rolled_over_nor_rewound(pair: Pair, verb: str) -> None:
    planners: dict[str, Callable[[], Any]] = {
        "rollover": lambda: rollover.plan(pair.settings, pair.reader, NOW, drop_state=True),
        "rewind": lambda: rewind.plan(pair.settings, pair.reader, NOW, to_batch=-1),
    }
    with pytest.raises(Refused) as refused:
        planners[verb]()
    assert "./caudal generation reset temperaturas_ventanas" in refused.value.way_cli
