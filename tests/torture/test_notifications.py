"""The seeded short version of `./caudal torture --stream notificaciones`: a consumer of committed records
finds every message once, in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.torture.notifications import POINTS, SHORT, Series
from tests.matrix import long

pytestmark = [pytest.mark.spark, pytest.mark.broker, pytest.mark.slow]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("points", "seed"), [(SHORT[:1], 20261129), long((SHORT, 20261125))], ids=str)
def test_kills_of_the_notifications_stream_send_every_message_once_in_order(
    tmp_path: Path, points: tuple[Any, ...], seed: int
) -> None:
    said: list[str] = []
    series = Series(tmp_path, seed=seed, say=said.append)
    outcomes = series.run(points, len(points))
    assert series.wrong == [], "\n".join(said)
    assert len(points) // 2 <= len(outcomes) == len(said) <= len(points)
    assert "left open" in "".join(said), "the seed must bring a transaction of a stranger"


def test_every_point_of_the_short_series_is_one_of_the_long_one() -> None:
    assert {*SHORT} <= {*POINTS}
