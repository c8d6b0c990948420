"""Rewind: exactly the batches after K are taken back and read again. After a kill anywhere, the next run goes
on."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from include.housekeeping.generations import rewind, rollover
from include.housekeeping.plan import Plan
from jobs.contract.errors import Refused
from jobs.contract.run import report
from jobs.contract.stream import Topic
from tests.include.housekeeping.homes import Home, as_promised, kept
from tests.matrix import seeded

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def plan(home: Home, keep: int) -> Plan:
    return rewind.plan(home.settings, home.stream, home.now, to_batch=keep)


@kept
def three(home: Home) -> None:
    """Batches 0, 1, 2 of one file each; the last one has a record to quarantine."""
    for number in range(3):
        home.put(f"f{number}", number, bad=number == 2)
        home.run()


ALL = {f"{number}-0": 1 for number in range(3)}


@pytest.mark.parametrize(
    ("keep", "archived"),
    [(0, True), *seeded(((-1, False), (-1, True), (0, False), (1, False), (1, True)), 1)],
)
def test_the_batches_after_k_are_taken_back_and_read_again_as_one(
    home: Home, keep: int, archived: bool
) -> None:
    three(home)
    if archived:
        home.archive()
    as_promised(home, lambda: plan(home, keep))
    assert home.rows() == {f"{number}-0": 1 for number in range(keep + 1)}
    assert home.batches() == list(range(keep + 1))
    assert home.files(home.layout.en_proceso(home.name)) == [
        f"f{n}" for n in range(0 if not archived else keep + 1, 3)
    ]
    assert home.run() == 1
    assert home.rows() == ALL
    assert home.quarantined().total() == 1
    assert home.batches() == list(range(keep + 2))
    assert home.run() == 0


def test_batches_that_come_again_are_reported_again(home: Home) -> None:
    three(home)
    home.apply(lambda: plan(home, 0))
    home.put("more", 7)
    assert home.run() == 1
    newest = report.read(next(report.newest(home.layout.runs(home.name))))
    assert newest is not None
    assert (newest.batches, newest.last_batch, newest.records_in, newest.quarantined) == ((1,), 1, 4, 1)


def test_a_rewound_batch_that_merges_two_log_offsets_is_published_once(home: Home) -> None:
    """Cut off between commit and report, too: the merged batch is found published and skipped."""
    three(home)
    home.apply(lambda: plan(home, -1))
    home.run()
    for lost in ("commits/0", "commits/.0.crc"):
        (home.checkpoint / lost).unlink()
    home.run()
    assert home.rows() == ALL
    assert home.batches() == [0]


def test_outputs_go_first_each_followed_by_its_quarantine_then_commits_then_offsets(home: Home) -> None:
    three(home)
    home.archive()
    made = plan(home, 0)
    stages: dict[int, list[str]] = {}
    for step in made.steps:
        stages.setdefault(step.stage, []).append(
            "/".join(step.source.split("/")[1:2] + step.source.split("/")[-2:])
        )
    g = "gen=0001"
    assert list(stages.values())[1:] == [
        [f"salida/{g}/batch=000000002"],
        [f"cuarentena/{g}/batch=000000002"],
        [f"salida/{g}/batch=000000001"],
        ["checkpoints/commits/2", "checkpoints/commits/.2.crc"],
        ["checkpoints/commits/1", "checkpoints/commits/.1.crc"],
        ["checkpoints/offsets/2", "checkpoints/offsets/.2.crc"],
        ["checkpoints/offsets/1", "checkpoints/offsets/.1.crc"],
    ]
    assert [Path(s.target).name[-2:] for s in made.steps if s.stage == 0] == ["f1", "f2"]


def test_a_planned_batch_that_was_never_published_is_taken_back(home: Home) -> None:
    three(home)
    for lost in ("commits/2", "commits/.2.crc"):
        (home.checkpoint / lost).unlink()
    home.layout.batch(home.name, 1, 2).rename(home.settings.home / "taken")
    made = as_promised(home, lambda: plan(home, 1))
    assert [s.source.split("/")[-1] for s in made.steps] == ["batch=000000002", "2", ".2.crc"]
    assert "registros" in made.steps[0].source
    home.run()
    assert home.rows() == ALL
    assert home.quarantined().total() == 1


@pytest.mark.usefixtures("compact")
def test_files_behind_a_compact_source_log_come_back_exactly(home: Home) -> None:
    """Log offset 2 is compact: it holds all files up to its own, and the files it covers may be gone."""
    for number in range(5):
        home.put(f"f{number}", number)
        home.run()
    assert (home.checkpoint / "sources" / "0" / "2.compact").is_file()
    home.archive()
    as_promised(home, lambda: plan(home, 1))
    assert home.files(home.layout.en_proceso(home.name)) == sorted(f"f{n}" for n in range(2, 5))
    home.put("new", 5)
    home.run()
    assert home.rows() == {f"{number}-0": 1 for number in range(6)}


def test_nothing_after_k_is_refused(home: Home) -> None:
    three(home)
    for keep in (2, 9, -2):
        with pytest.raises(Refused, match="no-such-batch"):
            plan(home, keep)


def test_past_what_the_checkpoint_retains_is_refused(home: Home) -> None:
    three(home)
    for log in ("offsets", "commits"):
        (home.checkpoint / log / "0").unlink()
    with pytest.raises(Refused, match="past-retention"):
        plan(home, 0)


def test_offsets_lost_and_a_file_added_is_refused(home: Home) -> None:
    three(home)
    home.put("added", 9)
    (home.checkpoint / "offsets" / "2").unlink()
    with pytest.raises(Refused, match="offset-lost"):
        plan(home, 0)
    with pytest.raises(Refused, match="offset-lost"):
        rollover.plan(home.settings, home.stream, home.now)


def test_a_file_that_is_nowhere_refuses_the_rewind_by_name(home: Home) -> None:
    three(home)
    home.archive()
    (file,) = home.layout.archivo(home.name).rglob("*-f1")
    file.unlink()
    with pytest.raises(Refused, match=file.name):
        plan(home, 0)
    assert plan(home, 1).steps


def test_a_stateful_stream_and_a_topic_sink_are_refused(home: Home) -> None:
    three(home)
    stateful = replace(home.stream, stateful=True)
    with pytest.raises(Refused, match="stateful"):
        rewind.plan(home.settings, stateful, home.now, to_batch=0)
    topic = replace(home.stream, sink=Topic("t", key="k"))
    with pytest.raises(Refused, match="sends them again"):
        rewind.plan(home.settings, topic, home.now, to_batch=0)


# as `generation rewind --apply`, in a process that a failpoint may kill
KILLED = """
import sys; from datetime import datetime, UTC
from include import settings, streams
from include.housekeeping.generations import rewind
from include.housekeeping.apply import apply
config, now = settings.load(), datetime(2026, 11, 25, tzinfo=UTC)
plan = lambda: rewind.plan(config, streams.get("facturas_ficheros"), now, to_batch=0)
apply(config, plan(), plan, now)
"""

KILLS = [
    "intent",
    *(f"stage:{n}" for n in range(1, 9)),
    *(f"move:{n}" for n in range(1, 14)),
    "steps",
    "done",
]


def killed(home: Home, failpoint: str) -> int:
    environ = {
        **os.environ,
        **home.settings.environ,
        "CAUDAL_FAILPOINT": failpoint,
        "PYTHONPATH": str(home.settings.root),
    }
    return subprocess.run(
        [sys.executable, "-c", KILLED], env=environ, check=False, capture_output=True, timeout=60
    ).returncode


@pytest.mark.parametrize("failpoint", seeded(KILLS, 2))
def test_killed_anywhere_the_next_run_goes_on_with_it(home: Home, failpoint: str) -> None:
    three(home)
    home.archive()
    assert killed(home, failpoint) == -9
    home.now = home.now.replace(day=26)
    home.run()
    assert home.rows() == ALL
    assert home.quarantined().total() == 1
    assert home.batches() == [0, 1]
    assert all(operation.finished for operation in home.operations())
    assert home.files(home.layout.en_proceso(home.name)) + home.files(home.layout.archivo(home.name)) == [
        "f1",
        "f2",
        "f0",
    ]


def test_a_rewind_killed_between_outputs_and_commits_is_finished_by_the_next_run(home: Home) -> None:
    three(home)
    home.archive()
    assert killed(home, "stage:4") == -9
    home.now = home.now.replace(day=26)
    home.run()
    assert home.rows() == ALL
    assert home.batches() == [0, 1]


def test_the_failpoints_above_are_all_there_are(home: Home) -> None:
    """One more stage or move than the matrix would leave a kill untried."""
    three(home)
    home.archive()
    made = plan(home, 0)
    assert (len({s.stage for s in made.steps}), len(made.steps)) == (8, 13)
    assert killed(home, "move:14") == 0
