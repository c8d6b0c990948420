"""The environment, read once into frozen values; what is wrong in it is said with the variable's name."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from include import settings
from include.settings import ROOT, Port, load
from jobs.contract.errors import ConfigError

PORTS = {"CAUDAL_KAFKA_PORT": 9092, "CAUDAL_KAFKA_CONTROLLER_PORT": 9093, "CAUDAL_AIRFLOW_PORT": 8080}


def port(variable: str, env: dict[str, str]) -> Port:
    found = load(env)
    return {p.variable: p for p in (found.kafka_port, found.controller_port, found.airflow_port)}[variable]


def test_without_a_word_everything_has_its_place_in_the_checkout() -> None:
    found = load({})
    assert (found.root, found.home, found.cache, found.master) == (
        ROOT,
        ROOT / "var",
        ROOT / ".cache",
        "local[2]",
    )
    assert (found.embedded_kafka, found.kafka_properties) == (True, None)
    assert found.layout.home == ROOT / "var"


@pytest.mark.parametrize("variable", PORTS)
def test_a_default_port_may_move_and_a_configured_one_may_not(variable: str) -> None:
    assert (
        port(variable, {})
        == port(variable, {variable: ""})
        == Port(PORTS[variable], variable, configured=False)
    )
    assert port(variable, {variable: str(PORTS[variable])}) == Port(
        PORTS[variable], variable, configured=True
    )
    assert port(variable, {variable: "65535"}).number == 65535


@pytest.mark.parametrize("variable", PORTS)
@pytest.mark.parametrize(
    "text",
    ["0", "65536", "-1", "80a", " 80", "80 ", "8_0", "٨٠", "1e3", "0x50", "99999999999", "9" * 5000, "80\n"],
)
def test_what_is_no_port_is_refused_with_its_variable(variable: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"{variable}=.* is not a port") as caught:
        load({variable: text})
    assert caught.value.where == variable


@pytest.mark.parametrize("variable", ["CAUDAL_HOME", "CAUDAL_CACHE"])
def test_folders_may_be_absolute_relative_to_the_checkout_or_of_the_user(
    variable: str, tmp_path: Path
) -> None:
    field = variable.removeprefix("CAUDAL_").lower()
    assert getattr(load({variable: str(tmp_path / "con espacio ñ")}), field) == tmp_path / "con espacio ñ"
    assert getattr(load({variable: "otro"}), field) == ROOT / "otro"
    assert getattr(load({variable: "~/x"}), field) == Path.home() / "x"


@pytest.mark.parametrize("variable", ["CAUDAL_HOME", "CAUDAL_CACHE"])
@pytest.mark.parametrize("character", list("\n\r\0,:*?[]{}\\"))
def test_a_folder_that_java_or_spark_would_misread_is_refused(variable: str, character: str) -> None:
    with pytest.raises(ConfigError, match=variable):
        load({variable: f"/tmp/a{character}b"})


def test_two_homes_share_nothing_but_the_cache(tmp_path: Path) -> None:
    one, two = (
        load({"CAUDAL_HOME": str(tmp_path / name), "CAUDAL_CACHE": str(tmp_path / "cache")})
        for name in ("one", "two")
    )
    assert one.cache == two.cache
    assert not any(
        path.is_relative_to(two.home) for path in (one.layout.data, one.layout.state, one.layout.logs)
    )


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_properties_file_of_the_owner_alone_is_taken(mode: int, tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text("sasl.jaas.config=geheim")
    file.chmod(mode)
    found = load({"CAUDAL_KAFKA_BOOTSTRAP": "b:1", "CAUDAL_KAFKA_PROPERTIES": str(file)})
    assert found.kafka_properties == file
    assert not found.embedded_kafka


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610, 0o601, 0o620])
def test_a_properties_file_that_others_may_touch_is_refused_with_the_cure(mode: int, tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text("sasl.jaas.config=geheim")
    file.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        load({"CAUDAL_KAFKA_PROPERTIES": str(file)})
    assert f"chmod 600 {file}" in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("name", ["none", "."])
def test_a_properties_file_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not the path of a file"):
        load({"CAUDAL_KAFKA_PROPERTIES": str(tmp_path / name)})


def test_the_environment_stays_out_of_what_is_printed() -> None:
    found = load({"SOME_PASSWORD": "geheim", "CAUDAL_KAFKA_BOOTSTRAP": "b:1"})
    assert found.environ["SOME_PASSWORD"] == "geheim"
    assert "geheim" not in repr(found) + str(found)


def test_values_are_frozen_and_a_copy() -> None:
    env = {"CAUDAL_MASTER": "local[1]"}
    found = load(env)
    env["CAUDAL_MASTER"] = "local[9]"
    assert found.environ["CAUDAL_MASTER"] == found.master == "local[1]"
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.master = "x"  # type: ignore[misc]


def test_every_variable_that_is_read_stands_in_the_table() -> None:
    source = Path(settings.__file__).read_text(encoding="utf-8")
    table, code = source.split('"""', 2)[1:]
    assert set(re.findall(r"\| (CAUDAL_\w+) \|", table)) == set(re.findall(r'"(CAUDAL_\w+)"', code))


@pytest.mark.parametrize("variable", ["CAUDAL_HOME", "CAUDAL_CACHE", "CAUDAL_KAFKA_PROPERTIES"])
def test_the_home_of_a_user_nobody_knows_is_refused_with_the_variable(variable: str) -> None:
    with pytest.raises(ConfigError, match=f"{variable}=.* names a user") as caught:
        load({variable: "~no-such-user-here/x"})
    assert caught.value.where == variable


@pytest.mark.parametrize("text", ["b:1", "127.0.0.1:9092", "a.b-c_d:1,[::1]:2"])
def test_brokers_are_host_and_port(text: str) -> None:
    assert load({"CAUDAL_KAFKA_BOOTSTRAP": text}).kafka_bootstrap == text


@pytest.mark.parametrize("text", ["b", "b:", ":1", "b:1,", "b:1 c:2", "kafka://b:1", "b:1\nsasl=x", " "])
def test_what_is_no_broker_is_refused_before_a_client_waits_for_it(text: str) -> None:
    with pytest.raises(ConfigError, match="not host:port"):
        load({"CAUDAL_KAFKA_BOOTSTRAP": text})
