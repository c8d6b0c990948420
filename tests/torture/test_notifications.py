"""The seeded short version of `./caudal torture --stream notificaciones`: a consumer of committed records
finds every message once, in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.torture.notifications import POINTS, SHORT, Series

SEED = 20261125
pytestmark = [pytest.mark.spark, pytest.mark.broker, pytest.mark.slow]


@pytest.mark.timeout(1200)
def test_kills_of_the_notifications_stream_send_every_message_once_in_order(tmp_path: Path) -> None:
    said: list[str] = []
    series = Series(tmp_path, seed=SEED, say=said.append)
    outcomes = series.run(SHORT, len(SHORT))
    assert series.wrong == [], "\n".join(said)
    assert len(SHORT) // 2 <= len(outcomes) == len(said) <= len(SHORT)
    assert "left open" in "".join(said), "the seed must bring a transaction of a stranger"


def test_every_point_of_the_short_series_is_one_of_the_long_one() -> None:
    assert {*SHORT} <= {*POINTS}
