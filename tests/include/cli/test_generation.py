"""`generation` as it is typed: the plan first, nothing without --apply, the way back, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from include.settings import ROOT, Settings
from include.state import lease
from jobs.contract.errors import ExitCode
from tests.include.doctor.conftest import STREAM, published
from tests.include.housekeeping.homes import files_of, tree

__all__ = ["published"]


def generation(settings: Settings, *words: str) -> tuple[int, list[str], str]:
    environ = {
        **settings.environ,
        "CAUDAL_HOME": str(settings.home),
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
        "PATH": os.environ["PATH"],
    }
    line = [sys.executable, "-P", "-m", "include.cli", "generation", *words]
    done = subprocess.run(line, env=environ, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout.splitlines(), done.stderr


def told(settings: Settings, *words: str) -> dict[str, Any]:
    code, lines, err = generation(settings, *words, "--json")
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def test_without_apply_the_plan_is_printed_and_nothing_changes(published: Settings) -> None:
    before = files_of(tree(published.home))
    for words in (["rollover"], ["reset"], ["rewind", "--to-batch", "0"]):
        code, lines, _ = generation(published, words[0], STREAM, *words[1:])
        assert (code, lines[-1]) == (0, "nothing was changed; --apply carries it out")
        assert lines[0] == f"{words[0]} of {STREAM}, generation 1"
        assert any(line.startswith("  way back: ") for line in lines)
    assert files_of(tree(published.home)) == before


def test_rollover_list_and_undo(published: Settings) -> None:
    made = told(published, "rollover", STREAM, "--apply")
    assert (made["applied"], made["steps"], made["kind"]) == (True, 3, "rollover")
    states = [(g["number"], g["state"], g["batches"]) for g in told(published, "list", STREAM)["generations"]]
    assert states == [(1, "live", 2), (2, "current", 0)]
    assert told(published, "undo", STREAM, "--apply")["applied"] is True
    assert [g["number"] for g in told(published, "list", STREAM)["generations"]] == [1]


@pytest.mark.slow
def test_the_digest_of_a_dry_run_is_that_of_the_real_one(published: Settings) -> None:
    for words in (["rewind", STREAM, "--to-batch", "0"], ["reset", STREAM]):
        assert told(published, *words)["digest"] == told(published, *words, "--apply")["digest"]


def test_an_empty_plan_is_not_applied(published: Settings) -> None:
    found = told(published, "purge", STREAM, "--apply")
    assert (found["steps"], found["applied"]) == (0, False)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("rewind", STREAM, "--to-batch", "1"), "no-such-batch"),
        (("retire", STREAM, "--generation", "1"), "is the current one"),
        (("retire", STREAM), "--generation N"),
        (("retire", STREAM, "--gone"), "is registered"),
        (("undo", STREAM), "nothing to undo"),
        (("purge", "nobody"), "no stream 'nobody'"),
        (("retire", "nobody", "--gone"), "no stream 'nobody'"),
        (("rollover", "../x"), "no stream '../x'"),
    ],
)
def test_a_refusal_is_one_line_with_the_reason_and_exit_64(
    published: Settings, words: tuple[str, ...], reason: str
) -> None:
    code, _, err = generation(published, *words)
    assert (code, err.count("\n")) == (ExitCode.USAGE, 1)
    assert reason in err


def test_while_a_run_holds_the_lease_apply_is_exit_75_and_nothing_moves(published: Settings) -> None:
    before = files_of(tree(published.home))
    with lease.acquire(published.layout, STREAM, lease.Owner(os.getpid(), "r", "now", "here")):
        code, _, err = generation(published, "reset", STREAM, "--apply")
    assert (code, "lease-held" in err) == (ExitCode.HELD, True)
    assert files_of(tree(published.home)) == before


@pytest.mark.slow
def test_a_stream_that_is_gone_from_the_registry_is_listed_retired_and_undone(published: Settings) -> None:
    layout = published.layout
    for folder in (
        layout.checkpoints(STREAM),
        layout.salida(STREAM),
        layout.generation_record(STREAM, 1).parent,
    ):
        folder.rename(folder.with_name("formerly"))
    assert [g["number"] for g in told(published, "list", "formerly")["generations"]] == [1]
    assert told(published, "retire", "formerly", "--gone", "--output", "--apply")["steps"] == 2
    assert not layout.checkpoint("formerly", 1).exists()
    assert told(published, "undo", "formerly", "--apply")["steps"] == 2
    assert layout.checkpoint("formerly", 1).is_dir()
