"""Places and ports as the environment names them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from include import settings
from include.settings import Port
from jobs.contract.errors import ConfigError


def test_without_a_word_ports_are_the_defaults_and_may_move() -> None:
    loaded = settings.load({})
    assert loaded.kafka_port == Port(9092, "CAUDAL_KAFKA_PORT", configured=False)
    assert loaded.controller_port == Port(9093, "CAUDAL_KAFKA_CONTROLLER_PORT", configured=False)
    assert loaded.airflow_port == Port(8080, "CAUDAL_AIRFLOW_PORT", configured=False)


@pytest.mark.parametrize(
    "variable", ["CAUDAL_KAFKA_PORT", "CAUDAL_KAFKA_CONTROLLER_PORT", "CAUDAL_AIRFLOW_PORT"]
)
@pytest.mark.parametrize("text", ["0", "65536", "-1", "80 80", "http", "٣"])
def test_a_port_that_is_none_is_refused_by_the_variables_name(variable: str, text: str) -> None:
    with pytest.raises(ConfigError, match=variable) as caught:
        settings.load({variable: text})
    assert caught.value.exit_code == 78


def test_a_named_port_is_configured_so_it_never_moves(own: Callable) -> None:
    assert own(CAUDAL_KAFKA_PORT="19092").kafka_port == Port(19092, "CAUDAL_KAFKA_PORT", configured=True)


def test_relative_places_lie_in_the_checkout() -> None:
    loaded = settings.load({"CAUDAL_HOME": "a", "CAUDAL_CACHE": "b/c"})
    assert (loaded.home, loaded.cache) == (settings.ROOT / "a", settings.ROOT / "b/c")
    assert settings.load({}).cache == settings.ROOT / ".cache"


@pytest.mark.parametrize("name", ["a:b", "a*", "a[0]", "a{b}", "a,b", "a\\b"])
def test_a_place_that_class_paths_or_globs_misread_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="CAUDAL_CACHE"):
        settings.load({"CAUDAL_CACHE": str(tmp_path / name)})
