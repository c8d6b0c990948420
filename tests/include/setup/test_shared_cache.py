"""A second user, with a uid of his own, on a cache that root has made: he may read it and change nothing of
it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from include.settings import ROOT, Settings
from include.setup import files, jars, java, jvm
from jobs.contract.errors import InstallationError

OTHER = 65534
_SETPRIV = ("setpriv", f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups")
# where the interpreter lies in a folder that is root's alone, he may read all there is, and still write
# nothing
_READER = ("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search")
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can be a second user for a while"
)


@dataclass
class Other:
    """`cache`: CAUDAL_CACHE of what he starts."""

    home: Path
    cache: Path

    def start(self, *argv: str, reader: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ}
        environ = {
            **kept,
            "HOME": str(self.home),
            "CAUDAL_HOME": str(self.home / "caudal"),
            "CAUDAL_CACHE": str(self.cache),
            "PYTHONPATH": str(ROOT),
        }
        line = [*_SETPRIV, *(_READER if reader else ()), *argv]
        return subprocess.run(
            line,
            env=environ | more,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def verb(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.start(sys.executable, "-P", "-m", "include.cli", *words)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of root's that everybody may read: those of pytest are for their maker alone."""
    with tempfile.TemporaryDirectory(prefix="caudal-shared-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture
def other(place: Path, real: Settings) -> Iterator[Other]:
    """With the machine's real cache, of which nothing is changed."""
    home = place / "his"
    home.mkdir()
    os.chown(home, OTHER, OTHER)
    before = listing(real.cache)
    yield Other(home, real.cache)
    assert listing(real.cache) == before


def listing(cache: Path) -> list[str]:
    """What he could have made or taken away. Class data are other tests' as well."""
    return sorted(
        str(path)
        for pattern in ("java-*.json", "*.sqlite", "jars-*/.ready", "jvm-*/*.jar")
        for path in cache.glob(pattern)
    )


def likeness(real: Settings, folder: Path, *parts: str) -> Path:
    """A cache of root's in which only `parts` of the real one are, by link."""
    folder.mkdir()
    for part in parts:
        (folder / part).symlink_to(real.cache / part)
    return folder


def test_he_sets_up_runs_a_stream_and_nothing_is_wrong(other: Other) -> None:
    done = other.verb("setup")
    assert done.returncode == 0, done.stdout + done.stderr
    fed = other.verb("sample", "bizums", "--json")
    assert fed.returncode == 0, fed.stdout + fed.stderr
    ran = other.verb("run", "bizums", "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    wrong = [
        f
        for f in json.loads(other.verb("doctor", "--json").stdout.splitlines()[-1])["findings"]
        if f["state"] == "wrong"
    ]
    assert [f for f in wrong if f["check"] not in ("memory", "disk")] == []


def test_another_java_in_his_shell_is_found_though_nobody_can_remember_it(
    other: Other, real: Settings
) -> None:
    mine = other.home / "java"
    mine.symlink_to(java.find(real).home)
    ask = (
        "from include import settings; from include.setup import java; "
        "print(java.find(settings.load()).major)"
    )
    done = other.start(sys.executable, "-P", "-c", ask, JAVA_HOME=str(mine))
    assert done.returncode == 0 and int(done.stdout) >= java.OLDEST, done.stderr


def test_class_data_that_cannot_be_written_is_told_and_stops_nothing(
    other: Other, real: Settings, place: Path
) -> None:
    other.cache = likeness(real, place / "cache", jars.folder(real).name, jvm.jar(real).parent.name)
    done = other.verb("setup")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "the class-data cache cannot be written, so runs start slower: cannot write: Permission denied; "
        "it belongs to root (uid 0)" in done.stdout
    )
    assert "class data: not in use" in done.stdout
    assert other.verb("run", "bizums", "--plan").returncode == 0
    found = json.loads(other.verb("doctor", "--json").stdout.splitlines()[-1])["findings"]
    assert [f["state"] for f in found if f["check"] == "class-data cache"] == ["note"]


@pytest.fixture
def disk(place: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    (folder := place / "disk").mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    ).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(
    ("kind", "reason"), [("full", "no space left"), ("read-only", "cannot write: Read-only file system")]
)
def test_a_whole_cache_on_a_disk_that_takes_nothing_more_is_as_good(
    disk: Path, real: Settings, tmp_path: Path, kind: str, reason: str
) -> None:
    cache = likeness(real, disk / "cache", jars.folder(real).name, jvm.jar(real).parent.name)
    if kind == "full":
        with pytest.raises(OSError, match="No space left"):
            (disk / "rest").write_bytes(b"x" * 2**20)
    else:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    before = list(cache.iterdir())
    environ = {
        **os.environ,
        "CAUDAL_HOME": str(tmp_path / "home"),
        "CAUDAL_CACHE": str(cache),
        "PYTHONPATH": str(ROOT),
    }
    line = [sys.executable, "-P", "-m", "include.cli", "setup"]
    done = subprocess.run(
        line,
        env=environ,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"the class-data cache cannot be written, so runs start slower: {reason}" in done.stdout
    assert {path.name for path in cache.iterdir()} - {path.name for path in before} <= {"class-data"}


@pytest.mark.parametrize("verb", [("setup",), ("run", "bizums", "--plan"), ("up",)])
def test_what_is_necessary_and_missing_is_named_with_its_owner_and_a_way_out(
    other: Other, place: Path, verb: tuple[str, ...]
) -> None:
    (cache := place / "cache").mkdir()
    other.cache = cache
    done = other.verb(*verb)
    assert done.returncode == 78, done.stdout + done.stderr
    last = done.stderr.splitlines()[-1]
    assert (
        "it belongs to root (uid 0), and this is nobody (uid 65534)" in last
        and "or set CAUDAL_CACHE to a folder of your own" in last
    )
    assert str(cache) in last and "Traceback" not in done.stderr


def test_a_cache_that_is_closed_to_him_is_named_by_the_front_door_with_its_owner(
    other: Other, place: Path
) -> None:
    (place / "cache").mkdir(mode=0o700)
    door = place / "caudal"
    shutil.copy(ROOT / "caudal", door)
    done = Other(other.home, place / "cache").start("sh", str(door), "status", reader=False)
    assert done.returncode == 78
    assert done.stderr.startswith(
        "caudal: configuration: this user cannot enter CAUDAL_CACHE; it belongs to root ["
    )
    assert done.stderr.count("\n") == 1


def test_the_front_door_locks_nothing_where_the_environment_is_whole(other: Other) -> None:
    done = other.start(sys.executable, "-I", str(ROOT / "include/setup/bootstrap.py"), str(ROOT), sys.prefix)
    assert done.returncode == 0, done.stderr


def test_an_environment_that_must_be_made_anew_names_the_caches_owner(other: Other, place: Path) -> None:
    (place / "cache").mkdir()
    done = other.start(
        sys.executable, "-I", str(ROOT / "include/setup/bootstrap.py"), str(ROOT), str(place / "cache/env-x")
    )
    assert done.returncode == 78
    assert (
        "installation: Permission denied; " in done.stderr
        and "belongs to root (uid 0), and this is nobody (uid 65534)" in done.stderr
    )


@pytest.mark.parametrize("mode", [0o644, 0o600, None])
def test_airflows_empty_database_is_taken_where_it_can_be_read_and_left_out_elsewhere(
    other: Other, place: Path, mode: int | None
) -> None:
    (cache := place / "cache").mkdir()
    if mode:
        with sqlite3.connect(cache / "empty") as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("CREATE TABLE t AS SELECT 7 AS n")
        database.close()
        (cache / "empty").chmod(mode)
    code = (
        "import sys; from pathlib import Path; from include.services.airflow import server as airflow\n"
        "empty, mine = map(Path, sys.argv[1:])\nprint(airflow._from_cache(empty, mine), mine.exists()); "
        "airflow._keep_in_cache(mine, empty)"
    )
    readable = mode is not None  # he reads everything, see _READER
    done = other.start(sys.executable, "-P", "-c", code, str(cache / "empty"), str(other.home / "mine"))
    assert (done.returncode, done.stdout.split()) == (0, [str(readable)] * 2), done.stderr
    assert [path.name for path in cache.iterdir()] == (["empty"] if mode else [])


def test_a_cache_by_link_is_as_good(other: Other, real: Settings) -> None:
    other.cache = other.home / "cache"
    other.cache.symlink_to(real.cache)
    assert other.verb("run", "bizums", "--plan").returncode == 0


def test_what_only_saves_time_is_never_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    files.remember(tmp_path / "file" / "java.json", "{}")
    with pytest.raises(InstallationError):
        files.write_whole(tmp_path / "file" / "java.json", "{}")
