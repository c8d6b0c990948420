"""The folders of a home, and its secrets."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from include import settings
from include.services import home
from include.services.airflow import keys
from jobs.contract.disk.layout import FOLDERS, Layout
from jobs.contract.errors import ConfigError


def test_make_makes_every_folder_of_the_layout_and_its_page(tmp_path: Path) -> None:
    home.make(Layout(tmp_path))
    assert {p.name for p in (tmp_path / "data").iterdir()} == {*FOLDERS, "LEEME.txt"}
    page = (tmp_path / "data/LEEME.txt").read_text()
    assert [name for name in FOLDERS if name not in page] == []


def test_make_again_changes_nothing_and_mends_the_page(tmp_path: Path) -> None:
    home.make(Layout(tmp_path))
    kept = tmp_path / "data/entrada/mine.json"
    kept.write_text("mine")
    page = tmp_path / "data/LEEME.txt"
    before = page.stat().st_mtime_ns
    home.make(Layout(tmp_path))
    assert (kept.read_text(), page.stat().st_mtime_ns) == ("mine", before)
    page.write_text("old")
    home.make(Layout(tmp_path))
    assert page.read_text() == home.LEEME


def test_a_home_inside_a_checkout_gives_git_nothing_to_add(tmp_path: Path) -> None:
    config = settings.load({"CAUDAL_HOME": str(tmp_path / "a home")})
    home.make(config.layout)
    keys.make(config)
    assert (tmp_path / "a home/.gitignore").read_text() == "*\n"
    if git := shutil.which("git"):
        subprocess.run([git, "init", "-q", tmp_path], check=True)
        (tmp_path / "mine.txt").write_text("")
        status = [git, "-C", tmp_path, "status", "--porcelain", "--untracked-files=all"]
        assert subprocess.run(status, capture_output=True, text=True, check=True).stdout == "?? mine.txt\n"


def test_keys_are_made_once_random_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    config = settings.load({"CAUDAL_HOME": str(tmp_path / "a")})
    old = os.umask(0)
    try:
        made = keys.make(config)
    finally:
        os.umask(old)
    assert keys.make(config) == made
    assert len(made.password) == 24
    assert [stat.S_IMODE(p.stat().st_mode) for p in sorted((tmp_path / "a/airflow").iterdir())] == [
        0o600,
        0o600,
    ]
    assert json.loads(keys.password_file(config).read_text()) == {"admin": made.password}
    assert keys.make(settings.load({"CAUDAL_HOME": str(tmp_path / "b")})).password != made.password
    assert made.password not in repr(made)


def test_a_damaged_key_file_is_named(tmp_path: Path) -> None:
    config = settings.load({"CAUDAL_HOME": str(tmp_path)})
    (tmp_path / "airflow").mkdir()
    (tmp_path / "airflow/keys.json").write_text("{")
    with pytest.raises(ConfigError, match="keys cannot be read"):
        keys.make(config)
