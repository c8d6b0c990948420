"""`spec.json`: what the launcher says is what the job hears."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract.errors import BrokenStream, DataError
from jobs.contract.run.spec import RUN_ID, RunSpec, new_run_id
from jobs.contract.stream import Files, Limits, Published, Stream, Thresholds, Topic

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
POSITIVE = st.integers(1, 2**53)
LIMITS = st.builds(Limits, POSITIVE, POSITIVE, POSITIVE, POSITIVE)
SHARE, NUMBER = st.none() | st.floats(0, 1), st.none() | st.integers(0, 2**53)
THRESHOLDS = st.builds(
    Thresholds, SHARE, SHARE, NUMBER, st.integers(0, 2**53), st.sampled_from(["after", "before"])
)
UNDER_WAY = st.lists(st.sampled_from([".lock", "-Ñ", ".en camino"]), max_size=2).map(tuple)
SOURCE_FILES = st.builds(
    Files,
    st.sampled_from(["json", "csv"]),
    st.just("") | NAMES,
    st.floats(0, 3600),
    st.sampled_from(",;|\t"),
    st.booleans(),
    under_way=UNDER_WAY,
)
SINK_FILES = st.builds(Files, st.sampled_from(["json", "csv", "parquet"]))
CONFIG = st.lists(st.tuples(st.text(), st.text()), max_size=3).map(tuple)
SOURCE_TOPICS = st.builds(
    Topic,
    NAMES.map("in.".__add__),
    st.sampled_from(["json", "csv"]),
    st.just(""),
    st.integers(1, 1000),
    CONFIG,
)
SINK_TOPICS = st.builds(
    Topic,
    NAMES.map("out.".__add__),
    st.sampled_from(["json", "csv"]),
    st.text(min_size=1),
    st.integers(1, 1000),
    CONFIG,
)
PUBLISHED = st.builds(Published, NAMES.map("above_".__add__), SINK_FILES)
STREAMS = st.builds(
    Stream,
    name=NAMES,
    source=SOURCE_FILES | SOURCE_TOPICS,
    sink=SINK_FILES | SINK_TOPICS,
    limits=LIMITS,
    thresholds=THRESHOLDS,
    schedule=st.none() | st.text(),
    lease_wait_s=st.integers(0, 10**6),
    retries=st.integers(0, 9),
    tags=st.lists(st.text(), max_size=3).map(tuple),
    doc=st.text(),
)
READERS = st.builds(
    Stream,
    name=NAMES,
    source=PUBLISHED,
    sink=SINK_FILES,
    stateful=st.just(True),
    close_windows=st.just("end-of-run"),
)
STARTS = st.just("earliest") | st.dictionaries(
    st.text(), st.dictionaries(st.text(), st.integers(0, 2**62), max_size=2), max_size=2
)
SPECS = st.builds(
    RunSpec,
    stream=STREAMS | READERS,
    run_id=st.from_regex(RUN_ID, fullmatch=True),
    airflow_run_id=st.text(),
    started=st.text(),
    home=st.text(),
    generation=st.integers(1, 9999),
    start=STARTS,
    reported_through=st.integers(-1, 2**40),
    warnings=st.lists(st.text(), max_size=2).map(tuple),
    version=st.just(1),
)
ONE = RunSpec(Stream("s", Files(), Topic("t", key="k")), "20261123t1", "", "", "/home/x", 1, "", -1)


@given(SPECS)
def test_what_is_written_is_read_back(spec: RunSpec) -> None:
    assert RunSpec.from_json(spec.to_json()) == spec


def test_a_warning_about_a_name_that_is_no_utf8_is_written_and_read_back() -> None:
    odd = replace(ONE, warnings=("mal\udcff.json refused",))
    assert RunSpec.from_json(odd.to_json()) == odd


def changed(**values: Any) -> bytes:
    return json.dumps({**json.loads(ONE.to_json()), **values}).encode()


@pytest.mark.parametrize(
    "field", ["stream", "run_id", "home", "generation", "start", "reported_through", "warnings", "version"]
)
def test_a_missing_field_is_refused(field: str) -> None:
    raw = json.loads(ONE.to_json())
    del raw[field]
    with pytest.raises(DataError):
        RunSpec.from_json(json.dumps(raw).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        changed(version=2),
        changed(besides=1),
        changed(stream=None),
        changed(stream={}),
        changed(warnings=7),
    ],
)
def test_what_is_no_spec_is_refused_with_its_place(data: bytes) -> None:
    with pytest.raises(DataError) as caught:
        RunSpec.from_json(data, "/home/x/spec.json")
    assert caught.value.where == "/home/x/spec.json"


def test_a_stream_name_that_climbs_is_refused_on_the_other_side_too() -> None:
    raw = json.loads(ONE.to_json())
    raw["stream"]["name"] = "../../etc"
    with pytest.raises(BrokenStream, match="unsafe stream name"):
        RunSpec.from_json(json.dumps(raw).encode())


NOW = datetime(2026, 11, 23, 20, 15, 0, 123_456, tzinfo=UTC)


def test_a_run_id_is_its_time_in_utc_and_random() -> None:
    assert new_run_id(NOW).startswith("20261123T201500123Z-")
    assert new_run_id(NOW.astimezone(timezone(timedelta(hours=5)))).startswith("20261123T201500123Z-")
    assert len({new_run_id(NOW) for _ in range(1000)}) == 1000


@given(st.datetimes(timezones=st.just(UTC)), st.integers(1, 10**9))
def test_run_ids_are_safe_names_that_sort_by_time(now: datetime, later_ms: int) -> None:
    assert RUN_ID.fullmatch(new_run_id(now))
    if now.year >= 1000 and now < datetime(9000, 1, 1, tzinfo=UTC):
        assert new_run_id(now) < new_run_id(now + timedelta(milliseconds=later_ms))
