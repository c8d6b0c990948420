"""The seeded short version of `./caudal torture`: each point of SHORT once, a third of them with a power cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.series import POINTS, SHORT, WRONG, Series


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(900)
def test_twenty_kills_lose_and_repeat_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    outcomes = Series(tmp_path, seed=20261103, share=0.33, together=4, say=said.append).run(SHORT, len(SHORT))
    assert [outcome for outcome in outcomes if outcome.result == WRONG] == [], "\n".join(said)
    assert len(outcomes) == len(SHORT) == 20


def test_every_point_of_the_short_series_is_one_of_the_long_one() -> None:
    assert {*SHORT} <= {*POINTS}
