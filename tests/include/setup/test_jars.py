"""The real jars, the real Ivy; where a network must be absent, Java gets a proxy that is not there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from include.settings import Settings
from include.setup import jars, jvm
from include.setup.files import one_maker
from jobs.contract.errors import InstallationError, ServiceError

pytestmark = pytest.mark.slow

CLOSED_PROXY = "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=1 -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=1"
SMALL = "kafka {digest} 3819 org.jspecify jspecify 1.0.0\n"
RIGHT = "1fad6e6be7557781e4d33729d49ae1cdc8fdda6fe477bb0cc68ce351eafdfbab"


def copied(real: Settings, to: Settings) -> Path:
    """A full jar folder in `to`'s cache: links to the real one's files."""
    jars.ensure(real, lambda _: None)
    made = jars.folder(to)
    for jar in jars.pinned():
        (made / jar.set).mkdir(parents=True, exist_ok=True)
        os.link(jars.folder(real) / jar.set / jar.name, made / jar.set / jar.name)
    (made / ".ready").write_text("")
    return made


def fetched(settings: Settings, said: list[str]) -> None:
    """jars.ensure with a network; without one there is nothing to test here."""
    try:
        jars.ensure(settings, said.append)
    except ServiceError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture
def offline(own: Callable) -> Settings:
    return own(JAVA_TOOL_OPTIONS=CLOSED_PROXY)


@pytest.fixture
def small_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`small_lock(digest)`: the lock names one 4 KB jar with this checksum."""

    def use(digest: str) -> None:
        (tmp_path / "jars.lock").write_text(SMALL.format(digest=digest))
        monkeypatch.setattr(jars, "LOCK", tmp_path / "jars.lock")

    return use


def test_the_lock_pins_its_jars_and_the_spark_set_is_what_pyspark_lacks() -> None:
    rows = jars.pinned()
    assert (len(rows), len({(j.set, j.name) for j in rows})) == (59, 59)
    assert [j.name for j in rows if j.set == "spark"] == [
        "commons-pool2-2.13.1.jar",
        "kafka-clients-3.9.2.jar",
        "spark-avro_2.13-4.2.0.jar",
        "spark-sql-kafka-0-10_2.13-4.2.0.jar",
        "spark-token-provider-kafka-0-10_2.13-4.2.0.jar",
    ]
    assert all(len(j.sha256) == 64 and j.size_bytes > 0 for j in rows)


def test_ivy_is_asked_for_the_exact_jar_and_none_of_its_dependencies() -> None:
    text = jars.ivy_file([jars.Jar("spark", "0", 1, "g", "a", "1")])
    assert '<dependency org="g" name="a" rev="1" transitive="false" conf="default->master"/>' in text


def test_before_setup_every_question_names_setup(own: Callable) -> None:
    settings = own()
    for ask in (jars.kafka_dir, jars.spark_jars, jars.compiler, jvm.driver_class_path):
        with pytest.raises(InstallationError, match=r"-> ./caudal setup$"):
            ask(settings)
    assert jars.check(settings) == [f"{jars.folder(settings)}: not complete"]


def test_a_missing_and_a_short_jar_are_named(real: Settings, own: Callable) -> None:
    settings = own()
    made = copied(real, settings)
    assert jars.check(settings) == []
    (made / "spark/commons-pool2-2.13.1.jar").unlink()
    (made / "kafka/jspecify-1.0.0.jar").unlink()
    (made / "kafka/jspecify-1.0.0.jar").write_bytes(b"short")
    assert jars.check(settings) == [
        f"{made}/kafka/jspecify-1.0.0.jar: 5 bytes instead of 3819",
        f"{made}/spark/commons-pool2-2.13.1.jar: missing",
    ]


def test_a_complete_folder_needs_no_network_also_when_only_the_marker_was_lost(
    real: Settings, offline: Settings
) -> None:
    said: list[str] = []
    (copied(real, offline) / ".ready").unlink()
    jars.ensure(offline, said.append)
    assert (said, jars.check(offline)) == ([], [])
    assert len(list(jars.kafka_dir(offline).glob("*.jar"))) == 46
    assert jars.spark_jars(offline) == tuple(sorted((jars.folder(offline) / "spark").glob("*.jar")))


def test_a_jar_with_a_flipped_byte_of_the_right_size_is_fetched_again(real: Settings, own: Callable) -> None:
    settings, said = own(), []
    jar = copied(real, settings) / "kafka/jspecify-1.0.0.jar"
    right = jar.read_bytes()
    jar.unlink()
    jar.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    assert jars.check(settings) == []  # the cheap look sees sizes only
    fetched(settings, said)
    assert said[1:] == ["jspecify-1.0.0"]
    assert jar.read_bytes() == right
    assert not (jars.folder(settings) / ".part").exists()


def test_without_network_the_error_says_so_and_there_is_no_marker(
    offline: Settings, small_lock: Callable[[str], None]
) -> None:
    small_lock(RIGHT)
    with pytest.raises(ServiceError, match="the jar repository does not answer") as caught:
        jars.ensure(offline, lambda _: None)
    assert caught.value.exit_code == 69
    assert jars.check(offline) == [f"{jars.folder(offline)}: not complete"]


def test_a_jar_that_is_not_the_pinned_one_is_named_and_never_in_place(
    own: Callable, small_lock: Callable[[str], None]
) -> None:
    small_lock("0" * 64)
    settings = own()
    with pytest.raises(
        InstallationError,
        match=r"jspecify-1\.0\.0\.jar: the repository's file does not match jars\.lock",
    ):
        fetched(settings, [])
    assert not list(jars.folder(settings).glob("kafka/*")) and not (jars.folder(settings) / ".ready").exists()


def test_a_second_maker_waits_for_the_first(tmp_path: Path) -> None:
    code = "import sys, time; from pathlib import Path; from include.setup.files import one_maker\n"
    code += "with one_maker(Path(sys.argv[1]), print): print('in', flush=True); time.sleep(1)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None and first.stdout.readline() == "in\n"
        start, said = time.monotonic(), []
        with one_maker(tmp_path / "lock", said.append):
            assert time.monotonic() - start > 0.5
        assert said == ["another caudal is working; waiting for lock"]
