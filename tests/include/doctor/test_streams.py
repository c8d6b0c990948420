"""One stream, with one thing broken at a time; the sound home first, so that every finding comes from the
break."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include import intake, streams
from include.doctor import streams as checks
from include.doctor.findings import Finding
from include.settings import Settings
from include.state import journal, lease
from jobs.contract.disk.layout import MANIFEST
from jobs.contract.errors import DiskFull
from jobs.contract.run import report
from tests.include.doctor.conftest import RUN, STREAM, lines


def found(settings: Settings) -> list[Finding]:
    return list(checks.examine(settings.layout, streams.get(STREAM)))


def admitted(settings: Settings) -> list[Path]:
    layout = settings.layout
    return [layout.en_proceso(STREAM) / name for name in intake.waiting_files(layout, streams.get(STREAM))]


def snapshot(settings: Settings) -> dict[str, tuple[int, bytes]]:
    """Every file of the home with its time and bytes; the lease's own file is touched by nobody here."""
    return {
        str(p): (p.stat().st_mtime_ns, p.read_bytes())
        for p in sorted(settings.home.rglob("*"))
        if p.is_file()
    }


def test_a_sound_stream_is_ok_in_every_line_and_nothing_is_changed_by_looking(published: Settings) -> None:
    before = snapshot(published)
    assert [(f.check, f.state, f.what) for f in found(published)] == [
        (
            f"stream {STREAM}",
            "ok",
            "newest run done, 2026-11-23 12:00:00Z: 2 records in, 2 rows out, 0 quarantined",
        ),
        (f"stream {STREAM}", "ok", "generation 1: checkpoint and output match, 2 batches published"),
        (f"stream {STREAM}", "ok", "intake ledger whole, 2 files in en_proceso as admitted"),
    ]
    assert snapshot(published) == before


def test_an_admitted_file_without_a_batch_is_wrong_once_a_run_has_ended_and_not_before(
    published: Settings,
) -> None:
    layout, row = published.layout, streams.get(STREAM)
    (layout.entrada(STREAM) / "2.json").write_text('{"InvoiceNumber":"2"}\n')
    intake.admit(layout, replace(row, source=replace(row.source, settle_s=0.0)), time.time, time.sleep)
    name = admitted(published)[2].name
    later = datetime.now(UTC) + timedelta(seconds=1)

    def ended(status: report.Status, generation: int = 1, **more: Any) -> list[str]:
        folder = layout.run(STREAM, "20261124T120000000Z-00000001")
        folder.mkdir(exist_ok=True)
        made = report.Report(
            STREAM, folder.name, status, later.isoformat(), generation=generation, last_batch=1, **more
        )
        (folder / "report.json").write_bytes(made.to_json())
        return [line for line in lines(found(published)) if "no batch has read it" in line]

    assert [ended("running"), ended("failed", exit_code=69), ended("done", generation=2)] == [[], [], []]
    told = (
        ended("failed", error={"code": "file-passed-over"}),
        ended("failed", warnings=("file-passed-over: x",)),
    )
    for said in (ended("done"), ended("idle"), *told):
        assert said == [
            f"admitted, but no batch has read it, though a run has ended since: {name} "
            f"[{layout.en_proceso(STREAM)}]"
        ]
    operation = journal.Operation(
        "20261125T120000000Z-00000002", "rewind", 1, later.isoformat(), {"to_batch": 1}
    )
    journal.begin(layout.journal(STREAM), operation, [])
    journal.finish(layout.journal(STREAM), operation, later.isoformat())
    assert ended("done") == [], "files that a rewind has brought back wait for the next run"


def test_a_stream_that_never_ran_is_a_note(empty: Settings) -> None:
    assert [(f.state, f.what, f.fix) for f in found(empty)] == [
        ("note", "never run", f"./caudal run {STREAM}")
    ]


def test_a_deleted_batch_is_wrong_and_names_the_rule(published: Settings) -> None:
    shutil.rmtree(published.layout.batch(STREAM, 1, 0))
    (line,) = lines(found(published))
    assert "batch 0" in line or "batches 0" in line, line
    assert str(published.layout.checkpoint(STREAM, 1)) in line


def test_a_deleted_manifest_is_wrong(published: Settings) -> None:
    folder = published.layout.batch(STREAM, 1, 1)
    (folder / MANIFEST).unlink()
    assert lines(found(published)) == [f"a published batch without its manifest [{folder}]"]


def test_a_half_written_offset_is_wrong_and_the_ledger_is_still_looked_at(published: Settings) -> None:
    file = published.layout.checkpoint(STREAM, 1) / "offsets" / "1"
    file.write_text("")
    (line,) = lines(found(published))
    assert line.endswith(f"version line '' is not one of v1, v2, v3 [{file}]")
    assert "intake ledger whole, 2 files in en_proceso as admitted" in lines(found(published), "ok")


def test_a_planned_file_that_is_gone_is_wrong_only_while_its_batch_is_open(published: Settings) -> None:
    file = admitted(published)[1]
    file.rename(published.home / "elsewhere")
    assert lines(found(published)) == []  # committed: archiving takes files away
    (published.layout.checkpoint(STREAM, 1) / "commits" / "1").unlink()
    assert lines(found(published)) == [
        f"batch 1 is planned, and its input is not as admitted: {file.name} (not there)"
    ]
    (published.home / "elsewhere").rename(file)
    assert "generation 1: checkpoint and output match, 2 batches published, batch 1 to run again" in lines(
        found(published), "ok"
    )


def test_a_file_that_grew_after_it_was_admitted_is_wrong(published: Settings) -> None:
    file = admitted(published)[0]
    with file.open("a") as target:
        target.write("{}\n")
    what = f"files in en_proceso are not as admitted: {file.name} (25 bytes, 22 at intake) [{file.parent}]"
    assert lines(found(published)) == [what]


def test_a_corrupted_ledger_is_wrong_and_the_fix_moves_it_aside(published: Settings) -> None:
    path = published.layout.ledger(STREAM)
    path.write_bytes(b"this is no database" * 300)
    (finding,) = [f for f in found(published) if f.state == "wrong"]
    assert finding.what == f"DatabaseError: file is not a database [{path}]"
    assert "rebuilds it from the file names" in finding.fix


def test_a_ledger_with_a_torn_page_is_wrong(published: Settings) -> None:
    path = published.layout.ledger(STREAM)
    data = bytearray(path.read_bytes())
    data[4096:8192] = os.urandom(4096)
    path.write_bytes(data)
    assert len(lines(found(published))) == 1


def test_without_a_ledger_admitted_files_are_a_note_because_the_next_run_rebuilds_it(
    published: Settings,
) -> None:
    path = published.layout.ledger(STREAM)
    path.unlink()
    assert lines(found(published)) == []
    assert lines(found(published), "note") == [f"no intake ledger, 2 files admitted [{path}]"]


def test_a_ledger_cut_in_mid_write_is_not_rolled_back_by_looking(published: Settings) -> None:
    journal = published.layout.ledger(STREAM).with_name(f"{STREAM}.sqlite-journal")
    journal.write_bytes(b"cut")
    assert lines(found(published), "note") == [
        f"a write to the intake ledger was cut short [{published.layout.ledger(STREAM)}]"
    ]
    assert journal.read_bytes() == b"cut"


def test_a_checkpoint_without_its_generation_record_is_wrong(published: Settings) -> None:
    record = published.layout.generation_record(STREAM, 1)
    record.unlink()
    assert lines(found(published)) == [f"checkpoint or output of generation 1 without its record [{record}]"]


def test_a_garbled_generation_record_is_wrong(published: Settings) -> None:
    record = published.layout.generation_record(STREAM, 1)
    record.write_text("{")
    (line,) = lines(found(published))
    assert line.startswith("unreadable generation record (JSONDecodeError") and str(record) in line


def test_a_run_that_says_running_without_a_lease_holder_died(published: Settings) -> None:
    path = published.layout.run(STREAM, RUN) / "report.json"
    before = report.read(path)
    assert before
    path.write_bytes(replace(before, status="running").to_json())
    assert lines(found(published), "note") == [
        f"run {RUN} died: it says running, and nobody holds the lease [{path.parent}]"
    ]


def test_a_failed_run_is_wrong_with_the_way_out_of_its_error(published: Settings) -> None:
    path = published.layout.run(STREAM, RUN) / "report.json"
    before = report.read(path)
    assert before
    path.write_bytes(
        replace(
            before, status="failed", exit_code=69, error=DiskFull("the disk is full", "/data").to_json()
        ).to_json()
    )
    (finding,) = [f for f in found(published) if f.state == "wrong"]
    assert finding.what == "newest run failed, 2026-11-23 12:00:00Z: the disk is full [/data]"
    assert finding.fix == f"{DiskFull.cli}; then ./caudal run {STREAM}"


def test_an_unreadable_report_is_wrong(published: Settings) -> None:
    path = published.layout.run(STREAM, RUN) / "report.json"
    path.write_text('{"version": 1, "status": "ru')
    (line,) = lines(found(published))
    assert line.startswith("unreadable report") and str(path) in line


HOLD = """
import sys, json
from pathlib import Path
from include.state import lease
from jobs.contract.disk.layout import Layout
import os
owner = lease.Owner(os.getpid(), "r-1", "2026-11-23T12:00:00+00:00", "/runs/r-1")
held = lease.acquire(Layout(Path(sys.argv[1])), sys.argv[2], owner)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(published: Settings) -> subprocess.Popen[str]:
    """Another process with the stream's lease; it ends when its stdin closes."""
    line = [sys.executable, "-c", HOLD, str(published.home), STREAM]
    process = subprocess.Popen(
        line,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(published.root)},
    )
    assert process.stdout and process.stdout.readline() == "held\n"
    return process


def test_a_holder_is_named_and_a_stopped_one_is_wrong(
    published: Settings, holder: subprocess.Popen[str]
) -> None:
    with holder:
        running = found(published)
        os.kill(holder.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED)
        stopped = found(published)
        os.kill(holder.pid, signal.SIGKILL)
    assert [finding.state for finding in running] == ["ok"]
    assert running[0].what.startswith(f"run r-1 under way: pid {holder.pid}, running")
    assert lines(stopped) == [
        f"run r-1 under way: pid {holder.pid}, STOPPED, since 2026-11-23T12:00:00+00:00 [/runs/r-1]"
    ]
    assert lease.holder(published.layout, STREAM) is None


def test_a_manifest_of_other_input_is_wrong(published: Settings) -> None:
    path = published.layout.batch(STREAM, 1, 1) / MANIFEST
    raw = json.loads(path.read_text())
    path.write_text(json.dumps({**raw, "input_digest": "0" * 64}))
    assert len(lines(found(published))) == 1
