"""Streams with state on real Spark: exact windows over several runs, late rows dropped as the watermark says,
every fault by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F

from include.samples import temperaturas as samples
from include.state import pairing
from jobs.contract.commit import closing_batch
from jobs.contract.commit.protocol import Next
from jobs.contract.disk import failpoints, storage
from jobs.contract.errors import BrokenStream, PlannedFileMissing, StateUnusable
from jobs.contract.stream import Checks, Files
from jobs.core import run
from jobs.core.write import publish
from jobs.domain import iot
from tests.jobs.core import downstream
from tests.jobs.core.downstream import MINUTE_MS, START_MS, at, feed, lower, upper, with_limits
from tests.matrix import long

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def reference() -> samples.Windows:
    return samples.Windows(15 * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS)


def test_windows_over_several_runs_are_the_plain_reference_row_by_row_and_late_readings_are_dropped(
    home: Any,
) -> None:
    above = upper(home.path, home.spark)
    below, expected = lower(above), reference()
    documents = list(samples.documents(300, seed=7, start_ms=START_MS))
    parts = [
        documents[:120],
        documents[120:200],
        [*documents[200:], at(1), at(2, sensor="cocina"), at(2.5, sensor="cocina")],
    ]
    published = 0
    for number, part in enumerate(parts):
        feed(above, f"{number}.json", part)
        assert below.waiting().records == len(part)
        below.run()
        assert below.newest(published) == expected.run(part)
        published = below.manifests()[-1].batch + 1
        assert (below.waiting().anything, below.unread()) == (False, 0)
    done = below.report()
    assert (done.records_in, done.rows_out, done.quarantined) == (303, len(below.rows()), 0)
    assert 0 < done.dropped_late <= expected.late == 9
    assert below.newest(published) == []
    below.run(close=True)
    assert below.newest(published) == expected.run([], close=True)
    assert [m.batch for m in below.manifests()] == list(range(len(below.manifests())))


def uncommit(below: Any, batch: int) -> None:
    for name in (str(batch), f".{batch}.crc"):
        (below.checkpoint / "commits" / name).unlink()


def test_a_batch_that_was_published_and_not_committed_is_passed_over_and_its_state_is_whole(
    home: Any,
) -> None:
    above = upper(home.path, home.spark, "json")
    below, expected = (
        lower(above, "temperaturas_maxima", iot.maximas),
        samples.Windows(5 * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS),
    )
    part = [at(0, 1.0), at(4, 3.0), at(21, 2.0)]
    feed(above, "1.json", part)
    below.run()
    newest = below.manifests()[-1].batch
    uncommit(below, newest)
    before = below.manifests()
    below.run()
    assert below.manifests() == before
    feed(above, "2.json", more := [at(24, 9.0), at(40, 1.0)])
    below.run()
    rows = [*expected.run(part), *expected.run(more)]
    assert below.newest(0) == [{k: row[k] for k in ("inicio", "fin", "sensor", "maxima")} for row in rows]
    assert [row["maxima"] for row in rows] == [3.0, 9.0]


def test_closed_windows_come_once_and_later_readings_of_theirs_are_late(home: Any) -> None:
    above = upper(home.path, home.spark)
    below, expected = lower(above, close_windows="end-of-run"), reference()
    feed(above, "1.json", first := [at(1, 5.0), at(7, 8.0), at(8, 6.0, "cocina")])
    below.run(close=True)
    assert below.newest(0) == expected.run(first, close=True)
    closed = below.manifests()[-1].batch
    assert (closing_batch.is_closing(below.checkpoint, closed), below.waiting(close=True).anything) == (
        True,
        False,
    )
    feed(above, "2.json", second := [at(9, 50.0), at(19, 7.0), at(23, 4.0)])
    below.run(close=True)
    assert below.newest(closed + 1) == expected.run(second, close=True)
    windows = [(r["inicio"], r["sensor"]) for r in below.rows()]
    assert len(windows) == len(set(windows))
    # 10:09 lies in three closed windows, 10:19 in one of the same: Spark counts what its first aggregation
    # left of them
    assert (expected.late, below.report().dropped_late) == (4, 3)


def watch_syncs(below: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For each batch that is renamed, how many state files of it were not synced before."""
    synced: set[str] = set()
    found: list[int] = []
    sync, rename = storage.fsync_file, storage.rename_dir_new
    monkeypatch.setattr(storage, "fsync_file", lambda path: (synced.add(str(path)), sync(path))[1])

    def renamed(src: Path, dst: Path) -> None:
        state = {str(f) for f in (below.checkpoint / "state").rglob("*") if f.is_file()}
        assert any(name.endswith(".delta") for name in state)
        found.append(len(state - synced))
        rename(src, dst)

    monkeypatch.setattr(storage, "rename_dir_new", renamed)
    return found


def test_a_closing_batch_that_was_planned_when_the_run_died_is_done_by_the_next_run(
    home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    above = upper(home.path, home.spark)
    below, expected = lower(above), reference()
    feed(above, "1.json", first := [at(1, 5.0), at(7, 8.0)])
    unsynced = watch_syncs(below, monkeypatch)
    below.run()
    assert unsynced == [0] * len(below.manifests())
    closing_batch.plan(below.checkpoint, START_MS + 20 * MINUTE_MS, START_MS)
    below.run()
    assert below.newest(0) == expected.run(first, close=True)
    assert below.report().dropped_late == 0


def test_one_reading_dated_2099_loses_later_windows_unless_the_guard_refuses_it(home: Any) -> None:
    future = json.dumps({"sensor": "azotea", "temperatura": 1.0, "momento": "2099-01-01T00:00:00Z"})
    found = {}
    for guard, checks in {"on": downstream.CHECKS, "off": Checks()}.items():
        above = upper(home.path / guard, home.spark, checks=checks)
        below = lower(above)
        feed(above, "1.json", [at(1, 5.0), future])
        below.run()
        feed(above, "2.json", [at(2, 6.0), at(40, 1.0)])
        below.run()
        late = [row for row in below.newest(0) if row["fin"] <= samples.iso(START_MS + 30 * MINUTE_MS)]
        found[guard] = (
            [row["maxima"] for row in late],
            below.report().dropped_late,
            [r["reason"] for r in above.quarantined()],
        )
    assert found["on"] == ([6.0, 6.0, 6.0], 0, ["event-time"])
    assert found["off"] == ([5.0, 5.0, 5.0], 6, [])


def test_a_planned_part_file_that_is_gone_stops_the_batch_by_name_and_comes_back(
    home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    above = upper(home.path, home.spark)
    below = lower(above)
    feed(above, "1.json", [at(1, 5.0), at(40, 1.0)])
    with monkeypatch.context() as patch:
        patch.setattr(publish, "make_durable", lambda *_: (_ for _ in ()).throw(OSError("killed here")))
        with pytest.raises(Exception, match="killed here"):
            below.run()
    (output,) = above.layout.salida("temperaturas").glob("gen=*")
    away = output.rename(home.path / "away")
    with pytest.raises(PlannedFileMissing, match="no longer published"):
        below.run()
    assert (below.manifests(), list((below.checkpoint / "commits").glob("[0-9]*"))) == ([], [])
    away.rename(output)
    (part,) = output.glob("batch=*/part-*")
    held = part.read_bytes()
    part.write_bytes(held[:-1])
    with pytest.raises(PlannedFileMissing, match="bytes now"):
        below.run()
    part.write_bytes(held)
    below.run()
    assert [row["maxima"] for row in below.newest(0)] == [5.0, 5.0, 5.0]


def test_state_that_is_torn_or_of_another_transform_is_refused_by_name(home: Any) -> None:
    above = upper(home.path, home.spark)
    below = lower(above)
    feed(above, "1.json", [at(1, 5.0)])
    below.run()
    feed(above, "2.json", [at(2, 6.0)])
    below.transform = lambda rows: (
        rows.withWatermark("momento", "1 minute")
        .groupBy(F.window("momento", "1 minute"), "temperatura")
        .count()
    )
    with pytest.raises(Exception) as other:
        below.run()
    assert (type(run.foreseen(other.value, home.path)), run.foreseen(other.value, home.path).what) == (
        StateUnusable,
        run._OTHER_STATE,
    )
    below.transform = iot.ventanas
    for delta in (below.checkpoint / "state").rglob("*.delta"):
        delta.write_bytes(b"")
        delta.with_name(f".{delta.name}.crc").unlink()
    states = home.spark._jvm.org.apache.spark.sql.execution.streaming.state
    getattr(
        getattr(states, "StateStore$"), "MODULE$"
    ).stop()  # as a new process begins: nothing of the state in memory
    with pytest.raises(Exception) as torn:
        below.run()
    assert isinstance(run.foreseen(torn.value, home.path), StateUnusable), torn.value
    assert below.newest(0) == []


def test_what_cannot_be_published_in_append_mode_or_is_not_declared_is_refused(home: Any) -> None:
    above = upper(home.path, home.spark)
    feed(above, "1.json", [at(1, 5.0)])
    below = lower(above, "sin_marca", lambda rows: rows.groupBy("sensor").count())
    with pytest.raises(Exception, match="watermark") as without:
        below.run()
    assert isinstance(run.foreseen(without.value, home.path), BrokenStream)
    below = lower(above, "sin_decir", iot.ventanas, stateful=False)
    with pytest.raises(BrokenStream, match="stateful=True"):
        below.run()
    assert below.manifests() == []


def test_rows_without_state_pass_through_whole_and_in_the_order_they_were_published(home: Any) -> None:
    above = upper(home.path, home.spark, "json")
    below = lower(above, "copia", iot.lecturas, stateful=False)
    with_limits(below, batch_bytes=1)
    for number in range(3):
        feed(above, f"{number}.json", [at(number, float(number)), at(number, number + 0.5)])
    below.run()
    assert [(m.records_in, m.rows_out, m.dropped_late) for m in below.manifests()] == [(2, 2, 0)] * 3
    assert [r["temperatura"] for r in below.rows()] == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]


def test_rows_that_were_published_as_csv_are_read_to_the_letter(home: Any) -> None:
    names = [" azotea ", 'a "b", c\n;', "\0", '\0"', "\ufeff", "\r\n", "#", "\\", "007", "\t", "ñ 🦤"]
    above = upper(home.path, home.spark, Files("csv", separator=";"))
    feed(above, "1.json", [at(number, number + 0.123456, sensor=name) for number, name in enumerate(names)])
    below = lower(above, "copia", iot.lecturas, stateful=False)
    below.run()
    assert [(m.records_in, m.rows_out) for m in below.manifests()] == [(len(names), len(names))]
    assert sorted((r["temperatura"], r["sensor"]) for r in below.rows()) == [
        (n + 0.123456, name) for n, name in enumerate(names)
    ]


STEPS = ("planned", "staged", "manifest", "published", "closing")


@pytest.mark.parametrize("steps", [("staged", "published", "closing"), long((STEPS,))], ids=len)
def test_a_run_that_dies_at_any_step_is_finished_by_the_next_with_every_window_once(
    home: Any, monkeypatch: pytest.MonkeyPatch, steps: tuple[str, ...]
) -> None:
    above = upper(home.path, home.spark)
    below, expected, rows = lower(above), reference(), []
    documents = list(samples.documents(30 * len(steps), seed=3, start_ms=START_MS))
    for number, step in enumerate(steps):
        part, close = documents[30 * number : 30 * number + 30], step == "closing"
        feed(above, f"{number}.json", part)
        with monkeypatch.context() as patch:
            patch.setattr(
                failpoints,
                "hit",
                lambda name, at=step: (
                    (_ for _ in ()).throw(OSError(f"killed at {at}")) if name == at else None
                ),
            )
            with pytest.raises(Exception, match=f"killed at {step}"):
                below.run(close=close)
        states = home.spark._jvm.org.apache.spark.sql.execution.streaming.state
        getattr(getattr(states, "StateStore$"), "MODULE$").stop()
        assert pairing.check(below.layout, below.stream.name, 1).step is Next.RERUN
        below.run()
        rows += expected.run(part, close)
    assert below.newest(0) == sorted(rows, key=lambda r: (r["inicio"], r["fin"], r["sensor"]))
    assert below.report().records_in == len(documents)
