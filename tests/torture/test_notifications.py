"""The seeded short version of `python -m tests.torture.notifications`: a reader of committed records finds every message once, in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.notifications import POINTS, SHORT, Series

pytestmark = [pytest.mark.spark, pytest.mark.broker, pytest.mark.slow]


@pytest.mark.timeout(1200)
def test_eight_kills_of_the_notifications_stream_send_every_message_once_in_order(tmp_path: Path) -> None:
    said: list[str] = []
    wrong = Series(tmp_path, seed=20261124, say=said.append).run(SHORT, len(SHORT))
    assert wrong == [], "\n".join(said)
    assert len(said) == len(SHORT) == 8


def test_every_point_of_the_short_series_is_one_of_the_long_one() -> None:
    assert {*SHORT} <= {*POINTS}
