"""Caudal's own JVM classes: compiled once, the same bytes everywhere, and what is wrong is one line."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from include import settings as caudal
from include.settings import Settings
from include.setup import class_data, jars, java, jvm
from jobs.contract.errors import InstallationError

pytestmark = pytest.mark.slow


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """A cache with the compiler and nothing compiled, and a copy of the sources."""
    here = caudal.load()
    if jars.check(here):
        jars.ensure(here, lambda _: None)
    shutil.copytree(here.root / "jvm", tmp_path / "root" / "jvm")
    settings = replace(here, cache=tmp_path / "cache", root=tmp_path / "root")
    target = jars.folder(settings)
    target.parent.mkdir()
    target.symlink_to(jars.folder(here))
    return settings


def made(settings: Settings, said: list[str] | None = None) -> Path:
    return jvm.ensure(
        settings, java.find(caudal.load()), class_data.spark_home(), (said if said is not None else []).append
    )


def test_it_is_compiled_once_and_the_same_sources_make_the_same_bytes(own: Settings) -> None:
    said: list[str] = []
    first = made(own, said)
    assert said == ["compiling the strict reader's checker"]
    assert "caudal/StrictJson.class" in zipfile.ZipFile(first).namelist()
    digest = hashlib.sha256(first.read_bytes()).hexdigest()
    made(own, said)
    assert (len(said), jvm.jar(own)) == (1, first)
    first.unlink()
    assert hashlib.sha256(made(own).read_bytes()).hexdigest() == digest
    assert [path.name for path in first.parent.iterdir()] == ["caudal.jar"]


def test_a_changed_source_is_compiled_anew_and_the_old_jar_is_not_taken(own: Settings) -> None:
    old = made(own)
    source = own.root / "jvm/src/caudal/Check.java"
    source.write_text(source.read_text() + "// changed\n")
    with pytest.raises(InstallationError, match="not compiled"):
        jvm.jar(own)
    assert made(own) != old


def test_a_source_that_does_not_compile_is_one_line_and_leaves_nothing(own: Settings) -> None:
    (own.root / "jvm/src/caudal/Check.java").write_text("package caudal; class Check { nonsense }")
    with pytest.raises(
        InstallationError, match=r"jvm/src does not compile: .*ERROR.* -> correct it, then ./caudal setup"
    ):
        made(own)
    assert list(own.cache.glob("jvm-*/*")) == []


def test_the_drivers_class_path_holds_sparks_kafka_jars_and_ours(own: Settings) -> None:
    made(own)
    assert jvm.driver_class_path(own).split(":") == [*map(str, jars.spark_jars(own)), str(jvm.jar(own))]
