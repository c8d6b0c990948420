"""`checkpoint show` as it is typed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

from include.settings import ROOT, Settings
from jobs.contract.errors import ExitCode
from tests.include.doctor.conftest import QUERY, STREAM, empty, published

__all__ = ["empty", "published"]


def show(settings: Settings, *words: str) -> tuple[int, list[str], str]:
    environ = {
        **settings.environ,
        "CAUDAL_HOME": str(settings.home),
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
        "PATH": os.environ["PATH"],
    }
    line = [sys.executable, "-P", "-m", "include.cli", "checkpoint", "show", STREAM, *words]
    done = subprocess.run(line, env=environ, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_it_says_in_words_what_was_planned_what_is_done_how_it_grows_and_what_comes(
    published: Settings,
) -> None:
    folder = published.layout.checkpoint(STREAM, 1)
    size = sum(p.stat().st_size for p in (folder / "sources/0").iterdir())
    code, lines, err = show(published)
    assert (code, err) == (0, "")
    assert [line for line in lines if not line.startswith("cleaning:")] == [
        f"{STREAM}, generation 1, made 2026-11-23 12:00:00 UTC",
        f"folder:     {folder}",
        f"query id:   {QUERY}",
        "planned:    up to batch 1",
        "committed:  up to batch 1",
        "published:  2 batches in this generation",
        "watermark:  none",
        "state:      none",
        f"source log: 2 of 50,000 files, {size:,} of 33,554,432 bytes",
        "batches:    2 of 10,000",
        "batch  source read up to  committed  published  records in  rows out",
        "0      source log 0       yes        yes        1           1",
        "1      source log 1       yes        yes        1           1",
        "next:       everything planned is committed: the next run begins with batch 2",
        "waiting:    0 files, 0 bytes in en_proceso, without entrada",
    ]


def test_the_json_line_holds_it_all_and_a_broken_pair_is_exit_65(published: Settings) -> None:
    code, lines, _ = show(published, "--json")
    found = json.loads(lines[-1])
    assert (code, found["newest_offset"], found["growth"]["log_files"]) == (0, 1, 2)
    assert found["waiting"] == {
        "open_batch": False,
        "files": 0,
        "size_bytes": 0,
        "records": 0,
        "closing": False,
        "undecided": 0,
    }
    shutil.rmtree(published.layout.batch(STREAM, 1, 0))
    code, lines, _ = show(published, "--json")
    assert (code, json.loads(lines[-1])["waiting"]) == (ExitCode.DATA, None)
    assert any(line.startswith("next:       refused (output-missing)") for line in lines)


def test_after_an_operation_that_was_cut_short_the_way_out_is_a_run_and_never_a_reset(
    published: Settings,
) -> None:
    words = [
        sys.executable,
        "-P",
        "-m",
        "include.cli",
        "generation",
        "rewind",
        STREAM,
        "--to-batch",
        "0",
        "--apply",
    ]
    armed = {
        **published.environ,
        "CAUDAL_HOME": str(published.home),
        "PYTHONPATH": str(ROOT),
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        words, env={**armed, "CAUDAL_FAILPOINT": "stage:1"}, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == -9
    code, lines, _ = show(published)
    assert (code, lines[-2]) == (
        0,
        "next:       a housekeeping operation was cut short: the next run, or the next housekeeping, "
        "finishes it first",
    )
    assert lines[-1].endswith(f"-> ./caudal run {STREAM} finishes it")
