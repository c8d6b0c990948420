"""./caudal itself: the real pip and uv make environments in copies of the checkout that need one small
package.

The two wheels are fetched once into a folder, and pip's settings name that folder in place of the index.
Without a network these tests are skipped (under CI they fail).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NO_INDEX = {"PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_NO_INDEX": "0", "PIP_FIND_LINKS": ""}
WHEELS: dict[str, str] = {}  # pip's settings that name the folder of wheels; the fixture `wheels` fills it
pytestmark = pytest.mark.slow  # installs environments
PROBE = """import json, os, sys
print(json.dumps({"prefix": sys.prefix, "cwd": os.getcwd(), "argv": sys.argv[1:], "path0": sys.path[0]}))
"""


def checkout(folder: Path) -> Path:
    """A copy with ./caudal, the tools that make an environment, one small requirement, and a command line
    that prints how it was called."""
    (folder / "include/setup").mkdir(parents=True)
    (folder / "include/cli").mkdir()
    for name in (
        "caudal",
        "include/setup/bootstrap.py",
        "include/setup/tools.txt",
        "include/setup/build.txt",
    ):
        shutil.copy2(ROOT / name, folder / name)
    shutil.copytree(ROOT / "vendor", folder / "vendor")
    (folder / "requirements.txt").write_text(requirement())
    for package in ("include", "include/cli"):
        (folder / package / "__init__.py").write_text("")
    (folder / "include/cli/__main__.py").write_text(PROBE)
    return folder


def environ(**more: str) -> dict[str, str]:
    """The environment of this process without Caudal's and Python's variables. CAUDAL_PYTHON is this
    Python."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CAUDAL_", "PYTHON"))}
    return kept | {"CAUDAL_PYTHON": sys.executable} | WHEELS | more


@pytest.fixture(scope="module", autouse=True)
def wheels(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Fetches the wheels of uv and of the small requirement, by their pinned hashes."""
    folder = tmp_path_factory.mktemp("wheels")
    (folder / "requirements.txt").write_text((ROOT / "include/setup/tools.txt").read_text() + requirement())
    pip = next((ROOT / "vendor").glob("pip-*.whl"))
    argv = [
        sys.executable,
        f"{pip}/pip",
        "download",
        "--no-deps",
        "--require-hashes",
        "--dest",
        str(folder),
        "-r",
        str(folder / "requirements.txt"),
    ]
    done = subprocess.run(argv, env=environ(), capture_output=True, text=True, check=False)
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"the package index does not answer: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr
    WHEELS.update({"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)})


def requirement() -> str:
    """One small package with its hashes, as requirements.txt pins it."""
    block = re.search(r"^tenacity==(?:.*\\\n)+.*\n", (ROOT / "requirements.txt").read_text(), re.M)
    assert block is not None
    return block[0]


def call(
    door: Path, *words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(door), *words],
        env=environ() if env is None else dict(env),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def made(folder: Path) -> Path:
    """A checkout whose environment is made."""
    root = checkout(folder)
    printed(call(root / "caudal"))
    return root


def printed(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What the probe printed."""
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def env_of(root: Path) -> Path:
    return next(
        p
        for p in (root / ".cache").iterdir()
        if p.is_dir() and p.name.startswith("env-") and not p.name.endswith(".downloads")
    )


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished checkout, with a blank in its path. Tests that take it change nothing in it."""
    return made(tmp_path_factory.mktemp("front door"))


def test_a_finished_environment_is_entered_straight_without_network_from_any_folder(
    ready: Path, tmp_path: Path
) -> None:
    start = time.monotonic()
    done = call(ready / "caudal", "put", "two words", "", "*", env=environ(**NO_INDEX), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert printed(done) == {
        "prefix": str(env_of(ready)),
        "cwd": str(tmp_path),
        "argv": ["put", "two words", "", "*"],
        "path0": str(ready),
    }
    assert time.monotonic() - start < 5


def test_no_file_of_the_folder_the_user_stands_in_is_imported(ready: Path, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('taken from the current folder')")
    assert call(ready / "caudal", cwd=tmp_path).returncode == 0


def test_without_caudal_python_the_finished_environment_is_found_and_no_python_is_looked_for(
    ready: Path, tmp_path: Path
) -> None:
    for tool in ("cat", "sha256sum"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    done = call(ready / "caudal", env={"PATH": str(tmp_path)})
    assert json.loads(done.stdout)["prefix"] == str(env_of(ready)), done.stderr


def test_the_door_is_found_through_a_link_and_by_a_bare_name(ready: Path, tmp_path: Path) -> None:
    (tmp_path / "caudal").symlink_to(ready / "caudal")
    assert json.loads(call(tmp_path / "caudal").stdout)["path0"] == str(ready)
    bare = subprocess.run(
        ["sh", "caudal"], cwd=ready, env=environ(), capture_output=True, text=True, check=True
    )
    assert json.loads(bare.stdout)["path0"] == str(ready)


def test_setup_looks_into_a_finished_environment_without_network(ready: Path) -> None:
    before = (env_of(ready) / ".ready").stat().st_mtime_ns
    done = call(ready / "caudal", "setup", env=environ(**NO_INDEX))
    assert (done.returncode, done.stderr) == (0, "")
    assert (env_of(ready) / ".ready").stat().st_mtime_ns == before


def test_nothing_of_the_making_is_left_and_nothing_lies_outside_the_cache(ready: Path) -> None:
    assert not (env_of(ready) / ".tools").exists()
    assert not list((ready / ".cache").glob("*.downloads"))
    assert {p.name for p in ready.iterdir()} == {"caudal", "vendor", "include", "requirements.txt", ".cache"}


@pytest.mark.torture
def test_an_unfinished_environment_is_wiped_and_made_again(tmp_path: Path) -> None:
    root = made(tmp_path)
    env = env_of(root)
    (env / ".ready").unlink()
    (env / "half").write_text("left by a killed installer")
    done = call(root / "caudal")
    assert printed(done)["prefix"] == str(env)
    assert (env / ".ready").exists() and not (env / "half").exists()


def test_a_damaged_environment_is_mended_by_setup(tmp_path: Path) -> None:
    root = made(tmp_path)
    lost = next(env_of(root).glob("lib/python3*/site-packages/tenacity/__init__.py"))
    lost.unlink()
    done = call(root / "caudal", "setup")
    assert printed(done)["argv"] == ["setup"]
    assert lost.exists() and "the environment is damaged (tenacity)" in done.stderr


@pytest.mark.torture
def test_a_moved_checkout_makes_its_environment_again(tmp_path: Path) -> None:
    root = made(tmp_path / "here").rename(tmp_path / "there")
    assert printed(call(root / "caudal"))["prefix"].startswith(str(tmp_path / "there"))


def test_killed_in_the_middle_the_same_command_goes_on(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    first = subprocess.Popen(
        [str(root / "caudal")], env=environ(), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert first.stderr is not None and first.stderr.readline().startswith("making the environment")
    time.sleep(1)  # in venv or pip
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert not list((root / ".cache").glob("env-*/.ready"))
    printed(call(root / "caudal"))
    assert (env_of(root) / ".ready").exists()


def test_of_two_at_once_one_makes_and_the_other_waits(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    pair = [
        subprocess.Popen(
            [str(root / "caudal")], env=environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    ends = [
        subprocess.CompletedProcess([], p.wait(), *texts) for p, texts in [(p, p.communicate()) for p in pair]
    ]
    assert printed(ends[0])["prefix"] == printed(ends[1])["prefix"]
    errors = "".join(e.stderr for e in ends)
    assert errors.count("making the environment") == 1 and errors.count("waiting for it") == 1


@pytest.mark.torture
def test_without_ensurepip_the_environment_is_made_all_the_same(tmp_path: Path) -> None:
    """A Python like stock Debian's: an import hook hides ensurepip from it, also under -I."""
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    hook = "import sys; sys.modules['ensurepip'] = None\n"
    (next(bare.glob("lib/python3*/site-packages")) / "hide.pth").write_text(hook)
    python = str(bare / "bin/python")
    assert (
        subprocess.run([python, "-I", "-c", "import ensurepip"], capture_output=True, check=False).returncode
        == 1
    )
    root = checkout(tmp_path / "checkout")
    printed(call(root / "caudal", env=environ(CAUDAL_PYTHON=python)))


def test_without_an_index_it_is_one_line_and_69(tmp_path: Path) -> None:
    done = call(checkout(tmp_path) / "caudal", env=environ(**NO_INDEX))
    assert (done.returncode, done.stdout) == (69, "")
    assert re.fullmatch(
        r"making the environment .*\n"
        r"caudal: service: the package index does not answer \[.*\.log\] -> check .*\n",
        done.stderr,
    )


def test_a_package_with_another_checksum_is_refused(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    wrong = re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, (root / "requirements.txt").read_text())
    (root / "requirements.txt").write_text(wrong)
    done = call(root / "caudal")
    assert done.returncode == 78
    assert (
        "caudal: installation: a downloaded package does not match its hash in requirements.txt"
        in done.stderr
    )
    assert not list((root / ".cache").glob("env-*/.ready"))


def test_a_vendored_pip_with_another_checksum_is_refused(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    next((root / "vendor").glob("*.whl")).write_bytes(b"PK")
    done = call(root / "caudal")
    assert done.returncode == 78
    assert "caudal: installation: the vendored pip does not match SHA256SUMS" in done.stderr


def test_no_python_is_one_line_and_78(tmp_path: Path) -> None:
    for tool in ("cat", "sha256sum"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    done = call(checkout(tmp_path / "checkout") / "caudal", env={"PATH": str(tmp_path)})
    assert done.returncode == 78
    assert done.stderr.startswith("caudal: installation: no Python >= 3.11 in PATH -> ")
    assert done.stderr.count("\n") == 1


def test_a_caudal_python_that_is_too_old_or_none_is_one_line_and_78(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    root = checkout(tmp_path / "checkout")
    for named in (str(old), "/not/there"):
        done = call(root / "caudal", env=environ(CAUDAL_PYTHON=named))
        assert (done.returncode, done.stderr.count("\n")) == (78, 1)
        assert f"CAUDAL_PYTHON is not a Python >= 3.11 [{named}]" in done.stderr


def test_caudal_cache_names_another_place_relative_to_the_checkout(tmp_path: Path) -> None:
    root = checkout(tmp_path / "checkout")
    answer = printed(call(root / "caudal", env=environ(CAUDAL_CACHE="else/where"), cwd=tmp_path))
    assert answer["prefix"].startswith(str(root / "else/where/env-"))
