"""The allow-list: what a driver, a service and the tests get of a shell that carries everything, and what
CAUDAL_PASS_ENV adds."""

from __future__ import annotations

import pwd
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include import environment, streams
from include.launch import run
from include.settings import RESERVED, ROOT, Settings, load
from jobs.contract.errors import ConfigError
from tests.pollution import JUNK


def of(home: Path, **more: str) -> Settings:
    return load(
        JUNK | {"CAUDAL_HOME": str(home), "CAUDAL_CACHE": str(load().cache), "PATH": "/usr/bin"} | more
    )


def test_no_word_of_a_polluted_shell_reaches_the_driver(tmp_path: Path) -> None:
    """The very command and environment that the launcher becomes."""
    config = of(tmp_path)
    _, command = run.preview(config, streams.get("bizums"), "local[2]", datetime.now(UTC))
    assert [name for name, text in JUNK.items() if command.environ.get(name) == text and text] == []
    place = tmp_path / "tmp" / "caudal-bizums"
    assert {
        name: command.environ[name] for name in ("LC_ALL", "TZ", "HOME", "TMPDIR", "SPARK_LOCAL_DIRS")
    } == {
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "HOME": str(place),
        "TMPDIR": str(place),
        "SPARK_LOCAL_DIRS": str(place),
    }
    options = command.argv[command.argv.index("--driver-java-options") + 1]
    for word in (
        "-Duser.language=en",
        "-Duser.country=US",
        "-Duser.timezone=UTC",
        f"-Djava.io.tmpdir={place}",
        f"-Duser.home={place}",
    ):
        assert f'"{word}"' in options
    assert set(command.environ) - set(JUNK) <= {
        "CAUDAL_HOME",
        "CAUDAL_CACHE",
        "PATH",
        "LOGNAME",
        "SPARK_LOCAL_IP",
        "PYTHONSAFEPATH",
        "PYTHONUNBUFFERED",
        "PYTHONNODEBUGRANGES",
        "PYTHONUTF8",
    }


def test_services_get_connections_proxies_and_variables_and_no_other_airflow(tmp_path: Path) -> None:
    found = environment.of_services(
        of(tmp_path, AIRFLOW_VAR_X="1", HTTPS_PROXY="http://p:1", SSL_CERT_FILE="/c.pem")
    )
    assert {name for name in found if name.startswith("AIRFLOW")} == {"AIRFLOW_CONN_BANK", "AIRFLOW_VAR_X"}
    assert (found["HTTPS_PROXY"], found["SSL_CERT_FILE"], found["HOME"]) == (
        "http://p:1",
        "/c.pem",
        f"{tmp_path}/tmp/services",
    )
    assert not {"JAVA_TOOL_OPTIONS", "AWS_SECRET_ACCESS_KEY", "PYTHONWARNINGS", "LD_PRELOAD"} & set(found)


def test_the_tests_get_a_home_of_their_own_and_no_setting_of_the_users(tmp_path: Path) -> None:
    found = environment.of_tests(
        of(tmp_path / "home", CAUDAL_KAFKA_BOOTSTRAP="b:1", PIP_INDEX_URL="https://i"), tmp_path / "other"
    )
    assert {name for name in found if name.startswith("CAUDAL_")} == {"CAUDAL_HOME", "CAUDAL_CACHE"}
    assert (found["CAUDAL_HOME"], found["HOME"], found["PIP_INDEX_URL"]) == (
        str(tmp_path / "other"),
        str(tmp_path / "other"),
        "https://i",
    )


@pytest.mark.parametrize(
    ("setting", "passes"),
    [
        ("", set()),
        ("AWS_*", {"AWS_SECRET_ACCESS_KEY"}),
        ("HADOOP_CONF_DIR, AWS_SECRET_ACCESS_KEY", {"HADOOP_CONF_DIR", "AWS_SECRET_ACCESS_KEY"}),
        ("JAVA_TOOL_OPTIONS", {"JAVA_TOOL_OPTIONS"}),
        ("HOME", {"HOME"}),
        ("AI*", {"AIRFLOW__CORE__EXECUTOR", "AIRFLOW_CONN_BANK"}),
    ],
)
def test_a_setting_lets_more_pass(tmp_path: Path, setting: str, passes: set[str]) -> None:
    found = environment.of_driver(of(tmp_path, CAUDAL_PASS_ENV=setting), tmp_path)
    assert {name for name, text in JUNK.items() if found.get(name) == text and text} == passes


@pytest.mark.parametrize("text", ["*", "A B", "1A", "a-b", "LD_*x", "A=B", "\n;x"])
def test_what_is_no_name_of_a_variable_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is neither a variable's name nor NAME") as caught:
        load({"CAUDAL_PASS_ENV": text})
    assert caught.value.where == "CAUDAL_PASS_ENV"


@pytest.mark.parametrize("text", ["SPARK_REMOTE", "PYTHONPATH", "LC_ALL", "JAVA_HOME", "PYTHON*", "TZ,HOME"])
def test_what_caudal_sets_itself_cannot_be_passed(text: str) -> None:
    with pytest.raises(ConfigError, match=r"Caudal sets .* itself"):
        load({"CAUDAL_PASS_ENV": text})


@pytest.mark.parametrize("path", ["", ":", "/nowhere", "/nowhere::."])
def test_path_always_reaches_the_tools_of_sparks_scripts_and_never_the_working_directory(
    tmp_path: Path, path: str
) -> None:
    found = environment.base(of(tmp_path, PATH=path))["PATH"].split(":")
    assert {"/usr/bin", "/bin"} <= set(found)
    assert "" not in found


def test_a_user_without_a_name_gets_one_for_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert environment.user() == ""
    assert environment.base(of(tmp_path))["LOGNAME"].startswith("uid-")


def test_every_name_of_the_allow_list_stands_on_the_page_of_settings() -> None:
    text = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    names = {*environment.EVERYWHERE, *environment.SERVICES, *environment.TESTS, *RESERVED} - {
        "LANG",
        "LANGUAGE",
    }
    assert {
        name for name in names if f"`{name if name.upper() == name else name.upper()}`" not in text
    } == set()


def test_a_shared_folder_for_temporary_files_has_a_part_for_each_home(tmp_path: Path) -> None:
    one, two = (of(tmp_path / name, CAUDAL_TMP=str(tmp_path / "scratch")).tmp for name in ("one", "two"))
    assert one.parent == two.parent == tmp_path / "scratch"
    assert one != two
    assert of(tmp_path / "one").tmp == tmp_path / "one" / "tmp"
