"""The parts of include/setup/bootstrap.py that need no network; tests/integration/test_front_door.py makes
real environments with it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from include.setup import bootstrap

ROOT = Path(bootstrap.__file__).resolve().parents[2]


def test_the_vendored_pip_is_the_pinned_one() -> None:
    assert bootstrap.verified_wheel(ROOT / "vendor").name == "pip-26.3-py3-none-any.whl"


def test_a_vendored_pip_with_one_more_byte_is_refused(tmp_path: Path) -> None:
    vendor = Path(shutil.copytree(ROOT / "vendor", tmp_path / "vendor"))
    with next(vendor.glob("*.whl")).open("ab") as wheel:
        wheel.write(b"\0")
    with pytest.raises(bootstrap.Stop, match="does not match SHA256SUMS") as caught:
        bootstrap.verified_wheel(vendor)
    assert caught.value.code == 78


def test_ready_means_a_marker_with_this_very_path(tmp_path: Path) -> None:
    env = tmp_path / "env"
    env.mkdir()
    assert not bootstrap.ready(env)
    (env / ".ready").write_text(f"{env}\n")
    assert bootstrap.ready(env)
    assert not bootstrap.ready(env.rename(tmp_path / "moved"))


def test_a_users_pip_settings_reach_uv_and_uvs_own_stay(tmp_path: Path) -> None:
    listed = f"""
global.index-url='https://a.example/simple'
:env:.index-url='https://b.example/simple'
global.cert='/etc/ca.pem'
install.find-links='{tmp_path} /not/there'
global.proxy='http://proxy.example:3128'
global.require-virtualenv='true'
"""
    assert bootstrap.uv_settings(listed, {"ALL_PROXY": "mine"}) == {
        "UV_DEFAULT_INDEX": "https://b.example/simple",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "UV_FIND_LINKS": str(tmp_path),
    }


@pytest.mark.parametrize(
    ("output", "code", "begin"),
    [
        ("error: failed to write: No space left on device (os error 28)", 69, "disk-full: "),
        (
            "error: Request failed\n  cause: dns error: failed to lookup address",
            69,
            "service: the package index does not answer",
        ),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
            78,
            "installation: a downloaded package does n",
        ),
        ("cause: Hash mismatch for `setuptools==1`", 78, "installation: a downloaded package does n"),
        ("one\nerror: something new\n\n", 78, "installation: error: something new"),
        ("", 78, "installation: no output"),
    ],
)
def test_what_an_installer_prints_becomes_one_line_and_the_right_code(
    output: str, code: int, begin: str
) -> None:
    stop = bootstrap.reason(output, Path("/cache/env.log"))
    assert (stop.code, str(stop)[: len(begin)]) == (code, begin)
    assert "[/cache/env.log] -> " in str(stop) and "\n" not in str(stop)


@pytest.mark.parametrize("name", ["a:b", "a,b", "a[b", "a*b", "a\\b"])
def test_a_path_that_java_would_misread_is_refused_before_anything_is_made(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bootstrap.main([str(ROOT), str(tmp_path / name / "env")], {}) == 78
    assert "special in Java class paths" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_too_little_room_is_said_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    assert bootstrap.main([str(ROOT), str(tmp_path / "env")], {}) == 69
    assert (
        capsys.readouterr().err
        == f"caudal: disk-full: 1 MB free, 2600 MB needed [{tmp_path}] -> free space, or set CAUDAL_CACHE\n"
    )
    assert not (tmp_path / "env").exists()


def test_a_cache_that_is_a_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cache").write_text("")
    assert bootstrap.main([str(ROOT), str(tmp_path / "cache/env")], {}) == 78
    assert capsys.readouterr().err.count("\n") == 1


def test_a_killed_maker_keeps_the_lock_as_long_as_its_child_lives(tmp_path: Path) -> None:
    code = f"""
import subprocess, sys; sys.path.insert(0, {str(ROOT / "include/setup")!r}); import bootstrap
from pathlib import Path
with bootstrap.locked(Path({str(tmp_path / "lock")!r})) as lock:
    subprocess.Popen(["sleep", "1.5"], pass_fds=(lock,), stdout=subprocess.DEVNULL)
    print("in", flush=True); sys.stdin.read()
"""
    maker = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert maker.stdout is not None and maker.stdout.readline() == "in\n"
    maker.kill()
    maker.communicate()
    start = time.monotonic()
    with bootstrap.locked(tmp_path / "lock"):
        assert time.monotonic() - start > 0.5


def test_the_running_environment_is_sound_and_one_lost_file_is_named(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    (site / "tiny_pkg-1.0.dist-info").mkdir(parents=True)
    (site / "tiny_pkg.py").write_text("")
    (site / "tiny_pkg-1.0.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: tiny.pkg\nVersion: 1.0\n"
    )
    (site / "tiny_pkg-1.0.dist-info/RECORD").write_text(
        "tiny_pkg.py,,\ntiny_pkg-1.0.dist-info/RECORD,,\n__pycache__/tiny_pkg.pyc,,\n"
    )
    (tmp_path / "requirements.txt").write_text(
        "tiny-pkg==1.0 \\\n    --hash=sha256:00\nwindows-only==2 ; sys_platform == 'win32'\n"
    )
    assert bootstrap.missing(tmp_path, tmp_path) == []
    (site / "tiny_pkg.py").unlink()
    assert bootstrap.missing(tmp_path, tmp_path) == ["tiny-pkg"]


def test_a_package_in_another_version_than_pinned_is_named(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("absent==1.0 \\\n    --hash=sha256:00\n")
    assert bootstrap.missing(tmp_path, tmp_path) == ["absent"]
