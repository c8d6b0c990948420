"""The verbs archive and restore as they are typed: a plan that changes nothing, then --apply; one JSON object
as the last line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from include import settings, streams
from include.cli.daily import run
from include.cli.operate import archive, restore
from jobs.contract.errors import FileChanged, Refused, UsageError
from tests.include.housekeeping.handmade import DAY, STREAM, Hand


@pytest.fixture
def hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hand:
    """Twenty-two committed files, one waiting, in the home the verbs work on."""
    made = Hand(tmp_path / "home")
    made.batch(made.admit(*(b"%d\n" % n for n in range(10, 32))))
    made.admit(b"waiting\n")
    monkeypatch.setattr(settings, "load", lambda: made.settings)
    monkeypatch.setattr(streams, "get", lambda name: {"s": STREAM}[name])
    return made


def said(capsys: pytest.CaptureFixture[str]) -> tuple[list[str], dict[str, Any]]:
    lines = capsys.readouterr().out.splitlines()
    return lines[:-1], json.loads(lines[-1])


def test_a_plan_lists_twenty_files_and_the_totals_and_changes_nothing(
    hand: Hand, capsys: pytest.CaptureFixture[str]
) -> None:
    before = hand.places()
    archive.command("s", as_json=True)
    lines, told = said(capsys)
    assert lines[:4] == [
        "archive of s, generation 1",
        "  22 files of batch 0, 66 bytes, go to archivo/s by their UTC day of admission",
        "  files that stay: 1 that no batch has yet",
        f"{'file':<{len(min(before))}}  batch  bytes  to",
    ]
    assert sum(f"data/archivo/s/{DAY}" in line for line in lines) == 20
    assert lines[-3] == "… 22 files in all, 66 bytes"
    assert lines[-2].startswith("way back: ./caudal restore s --date")
    assert lines[-1] == "nothing was changed; --apply carries it out"
    assert (told["applied"], told["steps"], told["bytes"], told["kind"]) == (False, 22, 66, "archive")
    archive.command("s", every=True)
    assert sum(f"data/archivo/s/{DAY}" in line for line in capsys.readouterr().out.splitlines()) == 22
    assert hand.places() == before


def test_apply_does_what_the_plan_says_and_restore_takes_it_back(
    hand: Hand, capsys: pytest.CaptureFixture[str]
) -> None:
    before = hand.places()
    archive.command("s")
    capsys.readouterr()
    archive.command("s", apply=True, as_json=True)
    lines, told = said(capsys)
    assert (lines[-1], told["applied"]) == (f"done: archive {told['id']}", True)
    assert sorted(hand.places().values()) == [[f"archivo/s/{DAY}"]] * 22 + [["en_proceso/s"]]
    restore.command("s", batch=0)
    assert capsys.readouterr().out.splitlines()[-1] == "nothing was changed; --apply carries it out"
    restore.command("s", batch=0, apply=True)
    assert hand.places() == before
    with pytest.raises(Refused):
        restore.command("s", file="f0000.json", apply=True)


def test_archive_twice_the_second_has_nothing_to_do(hand: Hand, capsys: pytest.CaptureFixture[str]) -> None:
    archive.command("s", apply=True)
    capsys.readouterr()
    archive.command("s", apply=True, as_json=True)
    lines, told = said(capsys)
    assert (lines[-1], told["applied"], told["steps"]) == ("nothing to do", False, 0)


def test_a_changed_file_is_told_and_is_the_verb_s_end(hand: Hand, capsys: pytest.CaptureFixture[str]) -> None:
    path = min(hand.here.glob("0*"))
    path.write_bytes(b"")
    with pytest.raises(FileChanged, match="0 bytes now, 3 then"):
        archive.command("s", apply=True, as_json=True)
    lines, told = said(capsys)
    assert f"stays: data/en_proceso/s/{path.name}: changed since intake: 0 bytes now, 3 then" in lines
    assert (told["steps"], told["applied"], told["kept"][0]["wrong"]) == (21, True, True)


def test_a_run_archives_what_it_has_committed_and_says_so(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for code, files in ((70, 0), (0, 22), (0, 0)):
        monkeypatch.setattr(run, "_launch", lambda *_, code=code: (code, None))
        assert run.command("s", as_json=True) == code
        lines, told = said(capsys)
        assert told["archive"]["files"] == files
        assert lines == (["s: archived 22 files, 66 bytes"] if files else [])


def test_restore_wants_one_question() -> None:
    with pytest.raises(UsageError, match="one of --file, --date and --batch"):
        restore.command("s", file="a", date=DAY)
