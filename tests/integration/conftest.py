"""Fixtures of the integration tests."""

from __future__ import annotations

import pytest

from include.settings import Settings
from tests.integration.kafka_homes import make_anew


@pytest.fixture
def fresh(broker: Settings) -> Settings:
    """The broker with empty topics, as the registry declares them."""
    make_anew(broker)
    return broker
