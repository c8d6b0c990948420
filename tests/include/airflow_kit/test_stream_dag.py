"""Schedules and limits of the factory."""

from __future__ import annotations

import pytest

from include.airflow_kit import stream_dag
from jobs.contract.stream import Files, Limits, Stream


def stream(name: str, schedule: str | None = "*/5 * * * *") -> Stream:
    return Stream(name=name, source=Files(), sink=Files(), schedule=schedule)


@pytest.mark.parametrize(
    ("cron", "position", "expected"),
    [
        ("*/5 * * * *", 0, "*/5 * * * *"),
        ("*/5 * * * *", 2, "2-59/5 * * * *"),
        ("*/5 * * * *", 5, "*/5 * * * *"),
        ("*/5 * * * *", 7, "2-59/5 * * * *"),
        ("*/15 8-20 * * 1-5", 11, "11-59/15 8-20 * * 1-5"),
        ("0 3 * * *", 4, "0 3 * * *"),
        ("* * * * *", 4, "* * * * *"),
        ("@hourly", 4, "@hourly"),
        ("*/0 * * * *", 4, "*/0 * * * *"),
        ("*/99 * * * *", 4, "*/99 * * * *"),
    ],
)
def test_an_every_n_minutes_schedule_moves_by_its_position_and_others_stay(
    cron: str, position: int, expected: str
) -> None:
    assert stream_dag.staggered(cron, position) == expected


def test_streams_on_one_schedule_start_apart_whatever_the_others_have() -> None:
    rows = [
        stream("c"),
        stream("a"),
        stream("b", "0 3 * * *"),
        stream("d", None),
        stream("e", "*/10 * * * *"),
        stream("f"),
    ]
    assert stream_dag.schedules({row.name: row for row in rows}) == {
        "a": "*/5 * * * *",
        "b": "0 3 * * *",
        "c": "1-59/5 * * * *",
        "d": None,
        "e": "*/10 * * * *",
        "f": "2-59/5 * * * *",
    }


def test_a_dag_run_has_time_for_all_tries_their_pauses_and_the_wait_for_the_lease() -> None:
    row = Stream(name="a", source=Files(), sink=Files(), limits=Limits(run_s=100), lease_wait_s=20, retries=2)
    assert stream_dag.run_limit_s(row) == 3 * 120 + 2 * 30
