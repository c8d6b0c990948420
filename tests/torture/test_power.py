"""The simulated power cut itself: what was flushed always stays, what was not flushed is sometimes lost, and
a flush that is left out is found."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from include.settings import ROOT
from include.torture import power
from jobs.contract.disk import recording
from tests.include.intake.home import Home

pytestmark = pytest.mark.slow

# Cuts of the same state, each with dice of its own. A quarter take everything, and a quarter nothing but
# contents.
CUTS = 16
IMPORTS = """import os, sys
from pathlib import Path
from jobs.contract.disk import storage
home = Path(sys.argv[1])
a, b = home / "data" / "a", home / "data" / "b"
"""
INTAKE = """import sys
from pathlib import Path
from tests.include.intake.home import Home
Home(Path(sys.argv[1])).admit()
"""


def do(code: str, home: Path, record: Path, omit: str = "") -> None:
    """Runs `code` in a process of its own, recorded from its first line."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), recording.VARIABLE: str(record), recording.OMIT: omit}
    subprocess.run([sys.executable, "-c", code, str(home)], env=environ, check=True)


def left(tmp_path: Path, code: str, omit: str = "") -> Counter[tuple[tuple[str, bytes], ...]]:
    """What stands under data after each of CUTS power cuts: (path, content) of every file, counted."""
    found: Counter[tuple[tuple[str, bytes], ...]] = Counter()
    for seed in range(CUTS):
        home, record = tmp_path / f"{seed}" / "home", tmp_path / f"{seed}" / "record"
        for name in ("a", "b"):
            (home / "data" / name).mkdir(parents=True)
        (home / "data" / "a" / "old").write_bytes(b"old")
        power.begin(home, record)
        do(IMPORTS + code, home, record, omit)
        power.cut(home, record, Random(seed))
        files = sorted(p for p in (home / "data").rglob("*") if p.is_file())
        found[tuple((str(p.relative_to(home / "data")), p.read_bytes()) for p in files)] += 1
    return found


OLD = ("a/old", b"old")
NEW = ("a/new", b"new")


@pytest.mark.parametrize(
    ("code", "stands"),
    [
        ("storage.write_new(a / 'new', b'new')", (NEW, OLD)),
        ("storage.replace(a / 'old', b'new')", (("a/old", b"new"),)),
        ("storage.move_new(a / 'old', b / 'old')", (("b/old", b"old"),)),
        ("storage.unlink_all([a / 'old'])", ()),
        (
            "storage.make_dirs(b / 'c' / 'd'); storage.write_new(b / 'c' / 'd' / 'x', b'x')",
            (OLD, ("b/c/d/x", b"x")),
        ),
        ("storage.rename_dir_new(a, home / 'data' / 'z')", (("z/old", b"old"),)),
    ],
)
def test_what_storage_has_done_no_power_cut_takes_back(
    tmp_path: Path, code: str, stands: tuple[tuple[str, bytes], ...]
) -> None:
    assert left(tmp_path, code) == Counter({stands: CUTS})


@pytest.mark.parametrize(
    ("code", "outcomes"),
    [
        ("(a / 'new').write_bytes(b'new')", {(NEW, OLD), (("a/new", b""), OLD), (OLD,)}),
        ("(a / 'old').rename(b / 'old')", {(("b/old", b"old"),), (OLD,), (OLD, ("b/old", b"old"))}),
        ("(a / 'old').unlink()", {(), (OLD,)}),
        ("a.rename(home / 'data' / 'z')", {(OLD,), (("z/old", b"old"),)}),
    ],
)
def test_what_was_never_flushed_is_there_gone_or_torn(
    tmp_path: Path, code: str, outcomes: set[tuple[tuple[str, bytes], ...]]
) -> None:
    found = left(tmp_path, code)
    assert len(found) > 1, found
    assert {OLD[0], *(n for state in outcomes for n, _ in state)} >= {n for state in found for n, _ in state}
    assert len(outcomes & set(found)) > 1, found
    assert () in outcomes or () not in found, "a rename that is not durable leaves the old name"


def test_a_move_whose_folder_is_not_flushed_is_seen_to_lose_the_file(tmp_path: Path) -> None:
    found = left(tmp_path, "storage.move_new(a / 'old', b / 'old')", omit="/data/b")
    assert found[()] > 0, found


def admitted(tmp_path: Path, omit: str) -> list[str]:
    """An intake, a power cut, an intake; what is wrong afterwards, for each of CUTS."""
    wrong = []
    for seed in range(CUTS):
        home, record = (
            Home(tmp_path / f"{omit[1:]}{seed}" / "home"),
            tmp_path / f"{omit[1:]}{seed}" / "record",
        )
        for number in range(4):
            home.deliver(f"{number}.json", b"%d\n" % number)
        power.begin(home.path, record)
        do(INTAKE, home.path, record, omit)
        power.cut(home.path, record, Random(seed))
        try:
            home.admit()
        except Exception as error:
            wrong.append(f"{type(error).__name__}: {error}")
            continue
        if home.everywhere() != Counter(b"%d\n" % n for n in range(4)):
            wrong.append(f"{sum(home.everywhere().values())} files of 4")
    return wrong


def test_an_intake_survives_any_power_cut_and_without_the_flush_of_one_folder_it_does_not(
    tmp_path: Path,
) -> None:
    assert admitted(tmp_path, "") == []
    assert len(admitted(tmp_path, "/en_proceso/s")) > 0


ZIP = """import sys
from pathlib import Path
from include.launch import package
from include.settings import ROOT
package.jobs_zip(ROOT, Path(sys.argv[1]) / "p")
"""


def test_the_archive_of_the_jobs_is_whole_or_not_there_after_a_power_cut(tmp_path: Path) -> None:
    """It is named by its content and never written again, so an empty one would stop every run until somebody
    removes it."""
    for seed in range(CUTS):
        home, record = tmp_path / f"{seed}" / "home", tmp_path / f"{seed}" / "record"
        (home / "p").mkdir(parents=True)
        power.begin(home, record)
        do(ZIP, home, record)
        power.cut(home, record, Random(seed))
        assert all(zipfile.is_zipfile(path) for path in (home / "p").glob("jobs-*.zip")), seed
