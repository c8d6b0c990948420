"""Environment, versions, jars, class-data cache: this installation's own, and broken copies of its parts."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

from include.doctor import installation
from include.doctor.findings import Finding
from include.settings import Settings
from include.setup import jars
from tests.include.doctor.conftest import lines


def states(found: list[Finding]) -> list[str]:
    return [finding.state for finding in found]


def test_an_old_python_is_wrong_and_another_system_a_note() -> None:
    assert states(list(installation.python())) == ["ok"]
    assert lines(installation.python((3, 10, 4))) == ["Python 3.10.4; 3.11 or newer is needed"]
    assert states(list(installation.python((3, 13, 0), "darwin"))) == ["note"]


def test_an_environment_with_nothing_in_it_names_the_first_packages(empty: Settings, tmp_path: Path) -> None:
    (line,) = lines(installation.environment(empty, tmp_path))
    assert " packages missing, damaged or of another version: " in line
    assert line.endswith(f"[{tmp_path}]")


def test_an_environment_of_other_lock_files_is_wrong(empty: Settings, tmp_path: Path) -> None:
    sound = Path(sys.prefix)
    assert states(list(installation.environment(empty, sound))) == ["ok"]
    other = tmp_path / "env-0123456789abcdef-py3.11"
    other.mkdir()
    (other / "lib").symlink_to(sound / "lib")
    key = installation.lock_key(empty.root)
    assert lines(installation.environment(empty, other)) == [
        f"made from other lock files than this checkout's ({key}) [{other}]"
    ]
    moved = tmp_path / f"env-{key}-py3.11"
    other.rename(moved)
    assert lines(installation.environment(empty, moved)) == [
        f"not finished, or moved after it was made [{moved}]"
    ]


def test_classes_of_other_sources_than_these_are_not_taken(empty: Settings, tmp_path: Path) -> None:
    assert states(list(installation.own_classes(empty))) == ["ok"]
    source = tmp_path / "jvm/src/caudal/StrictJson.java"
    source.parent.mkdir(parents=True)
    source.write_text("// another")
    (found,) = installation.own_classes(replace(empty, root=tmp_path))
    assert (found.state, found.what.startswith("Caudal's own JVM classes are not compiled"), found.fix) == (
        "wrong",
        True,
        "./caudal setup",
    )


def test_pyspark_its_client_and_the_jars_must_be_one_version(tmp_path: Path) -> None:
    assert states(list(installation.versions())) == ["ok"]
    (tmp_path / "spark-core_2.13-4.2.0.jar").write_text("")
    assert states(list(installation.compare("4.2.0", "4.2.0", tmp_path))) == ["ok"]
    assert lines(installation.compare("4.2.0", "4.1.1", tmp_path)) == [
        f"pyspark 4.2.0, pyspark-client 4.1.1, spark-core 4.2.0: all three must be equal [{tmp_path}]"
    ]
    (tmp_path / "spark-core_2.13-4.2.0.jar").unlink()
    assert lines(installation.compare("4.2.0", "4.2.0", tmp_path)) == [
        f"pyspark 4.2.0, pyspark-client 4.2.0, spark-core missing: all three must be equal [{tmp_path}]"
    ]


def test_a_missing_and_a_cut_jar_are_named(empty: Settings, tmp_path: Path) -> None:
    assert states(list(installation.kafka_jars(empty))) == ["ok"]
    copy = replace(empty, cache=tmp_path)
    shutil.copytree(jars.folder(empty), jars.folder(copy))
    first, second = (jars.folder(copy) / jar.set / jar.name for jar in jars.pinned()[:2])
    first.unlink()
    second.write_bytes(b"cut")
    size = jars.pinned()[1].size_bytes
    assert lines(installation.kafka_jars(copy)) == [f"{first}: missing; {second}: 3 bytes instead of {size}"]
    assert lines(installation.kafka_jars(replace(empty, cache=tmp_path / "none")))[0].endswith(
        ": not complete"
    )


def test_the_class_data_cache_of_this_installation_is_in_use_and_a_cache_without_one_is_wrong(
    empty: Settings, tmp_path: Path
) -> None:
    assert states(list(installation.cache(empty))) == ["ok"]
    bare = replace(empty, cache=tmp_path)
    shutil.copytree(jars.folder(empty), jars.folder(bare))
    assert lines(installation.cache(bare)) == [
        f"none that fits: every run starts 5 to 9 s slower [{tmp_path / 'class-data'}]"
    ]
