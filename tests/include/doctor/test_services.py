"""Services in each state of their rows; a real broker with a topic missing and one that differs; the
registry's files."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from include import streams
from include.doctor import services
from include.kafka import topics
from include.services.stack import Row
from include.settings import ROOT, Settings
from tests.include.doctor.conftest import lines


def row(name: str, state: str, deaths: int = 0) -> Row:
    return Row(name, state, 0, (), "", deaths, f"/logs/{name}.log")


def test_nothing_running_is_one_note_and_half_of_it_running_is_wrong() -> None:
    assert [
        (f.state, f.what)
        for f in services.judge_rows([row("broker", "stopped"), row("airflow-api", "stopped")])
    ] == [("note", "not running: broker, airflow-api")]
    found = list(
        services.judge_rows(
            [row("broker", "healthy"), row("airflow-api", "not started"), row("airflow-dags", "gave-up", 4)]
        )
    )
    assert lines(found) == [
        "airflow-dags is gave-up after 4 deaths [/logs/airflow-dags.log]",
        "airflow-api is not running, while others are",
    ]
    assert lines(found, "ok") == ["broker is healthy"]


def test_a_home_without_services_has_notes_only(empty: Settings) -> None:
    found = [*services.running(empty), *services.kafka(empty), *services.dags(empty)]
    assert [(f.check, f.state) for f in found] == [("service", "note"), ("broker", "note")]


def test_a_broker_of_ones_own_that_does_not_answer_is_wrong(empty: Settings) -> None:
    (line,) = lines(services.kafka(replace(empty, kafka_bootstrap="127.0.0.1:1")))
    assert line.endswith("[127.0.0.1:1]")


@pytest.mark.broker
def test_missing_topics_and_other_partitions_are_wrong_until_they_are_as_declared(broker: Settings) -> None:
    wanted = [
        replace(
            s,
            name="doctor",
            source=replace(s.source, name="doctor-in"),
            sink=replace(s.sink, name="doctor-out"),
        )
        for s in [streams.get("notificaciones")]
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "collect", lambda: ({s.name: s for s in wanted}, ()))
        assert lines(services.kafka(broker)) == [
            "declared, but not on the broker: caudal-tokens-doctor, doctor-in, doctor-out"
        ]
        topics.apply(topics.plan(broker, wanted))
        assert lines(services.kafka(broker)) == []
        declared = "as declared: caudal-tokens-doctor, doctor-in, doctor-out"
        assert lines(services.kafka(broker), "ok") == [f"answers at {broker.kafka_bootstrap}", declared]
        wanted[0] = replace(wanted[0], source=replace(wanted[0].source, partitions=5))
        assert lines(services.kafka(broker)) == ["doctor-in: partitions is 3, declared 5"]


def test_a_row_that_does_not_load_a_job_and_a_domain_file_that_are_gone_are_named(
    empty: Settings, tmp_path: Path
) -> None:
    assert [f.state for f in services.registry(empty)] == ["ok"]
    shutil.copytree(ROOT / "jobs", tmp_path / "jobs", ignore=shutil.ignore_patterns("__pycache__"))
    assert services.lost_part(tmp_path, "facturas_kafka") is None
    (tmp_path / "jobs/domain/facturas.py").unlink()
    assert services.lost_part(tmp_path, "facturas_kafka") == tmp_path / "jobs/domain/facturas.py"
    (tmp_path / "jobs/facturas_kafka.py").unlink()
    assert services.lost_part(tmp_path, "facturas_kafka") == tmp_path / "jobs/facturas_kafka.py"
    found = lines(services.registry(replace(empty, root=tmp_path)))
    assert (
        found[0]
        == f"missing, and the stream's job cannot start without it [{tmp_path / 'jobs/domain/facturas.py'}]"
    )
    assert len(found) == sum("facturas" in stream.tags for stream in streams.collect()[0].values())
