"""The class-data cache with the real Spark: made once for the session's cache, proved by a JVM that maps
it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from include.settings import Settings
from include.setup import class_data, jars, java, jvm
from tests.pollution import JUNK

pytestmark = pytest.mark.slow


def compiled(real: Settings) -> java.Java:
    """All that a driver's class path names is there, whatever ran before; the Java it was made with."""
    jars.ensure(real, lambda _: None)
    found = java.find(real)
    jvm.ensure(real, found, class_data.spark_home(), lambda _: None)
    return found


@pytest.fixture(scope="module")
def made() -> tuple[Settings, java.Java, Path]:
    from include import settings

    real = settings.load()
    found = compiled(real)
    path = class_data.ensure(real, found, lambda _: None)
    assert path is not None
    return real, found, path


def test_before_setup_there_is_no_archive_and_no_error(own: Callable) -> None:
    settings = own()
    assert class_data.archive(settings, java.Java(Path("/jdk"), 17, "17", "system")) is None


@pytest.mark.spark
def test_a_driver_with_our_class_path_maps_the_archive(made: tuple[Settings, java.Java, Path]) -> None:
    settings, found, path = made
    assert class_data.archive(settings, found) == path
    assert class_data.check(settings, found)


@pytest.mark.spark
def test_a_conf_folder_on_the_class_path_shuts_the_archive_out_and_check_sees_it(
    made: tuple[Settings, java.Java, Path], tmp_path: Path
) -> None:
    settings, found, _ = made
    (tmp_path / "spark-defaults.conf").write_text("")
    with_conf = class_data.environ(settings, found, tmp_path) | {"SPARK_CONF_DIR": str(tmp_path)}
    assert not class_data.check(settings, found, launch_environ=with_conf)


@pytest.mark.spark
def test_a_truncated_archive_is_not_taken(made: tuple[Settings, java.Java, Path]) -> None:
    settings, found, path = made
    part = path.with_name(f"torn-{os.getpid()}.jsa")
    try:
        part.write_bytes(path.read_bytes()[:1_000_000])
        assert not class_data.check(settings, found, part)
    finally:
        part.unlink()


@pytest.mark.spark
def test_another_jdk_build_or_newer_jars_ask_for_another_archive(
    made: tuple[Settings, java.Java, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, found, _ = made
    assert (
        class_data.archive(settings, java.Java(found.home, found.major, f"{found.version}.1", found.origin))
        is None
    )
    monkeypatch.setattr(jars, "spark_jars", lambda _: (Path(__file__),))
    assert class_data.archive(settings, found) is None


def test_no_word_of_a_users_shell_reaches_the_class_path(own: Callable, real: Settings) -> None:
    kept = class_data.environ(own(**JUNK), java.Java(Path("/jdk"), 17, "17", "system"), Path("/place"))
    assert [name for name, text in JUNK.items() if text and kept.get(name) == text] == []
    assert (kept["JAVA_HOME"], kept["TMPDIR"]) == ("/jdk", "/place")


def test_below_a_path_with_a_blank_it_is_said_and_nothing_is_made(
    real: Settings, own: Callable, tmp_path: Path
) -> None:
    found = compiled(real)
    (tmp_path / "a blank").symlink_to(real.cache)
    said: list[str] = []
    assert class_data.ensure(own(CAUDAL_CACHE=str(tmp_path / "a blank")), found, said.append) is None
    assert len(said) == 1 and "the path contains a blank" in said[0]
