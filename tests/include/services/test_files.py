"""Small files on a full disk: the old text or the new one, and nothing beside it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from include.services import files
from jobs.contract.errors import DiskFull, NotWritable


def test_the_text_and_its_mode_are_there_at_once(tmp_path: Path) -> None:
    files.write(tmp_path / "new/a.json", "one", 0o600)
    files.write(tmp_path / "new/a.json", "dos ñ", 0o600)
    assert [(p.name, p.read_text(), p.stat().st_mode & 0o777) for p in (tmp_path / "new").iterdir()] == [
        ("a.json", "dos ñ", 0o600)
    ]


def test_a_full_disk_keeps_the_old_text_names_the_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    files.write(tmp_path / "a.json", "old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull) as caught:
        files.write(tmp_path / "a.json", "new")
    assert caught.value.where == str(tmp_path / "a.json")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.json", "old")]


def test_a_place_that_is_a_file_is_not_writable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritable):
        files.write(tmp_path / "file/below/a.json", "x")


def test_the_end_of_a_log_is_read_and_one_that_is_not_there_has_none(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("first\nlast\n")
    assert (files.tail(tmp_path / "log", 5), files.tail(tmp_path / "none")) == (["last"], [])
