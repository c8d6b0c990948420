"""Housekeeping from Airflow's side: what the plan says is what is done, a person decides, and nothing else happens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from include import generations, streams
from include.housekeeping import restore
from jobs.contract.errors import Refused
from tests.integration.test_airflow import FICHEROS, RUN_S, Here, here, lines, until

__all__ = ["here"]
pytestmark = [pytest.mark.airflow, pytest.mark.broker, pytest.mark.spark, pytest.mark.timeout(600)]


def done(here: Here, dag: str, conf: dict[str, Any]) -> str:
    run = here.rest.trigger(dag, conf)
    here.rest.wait({dag: run}, RUN_S, lambda _: None)
    return run


def answer(here: Here, verb: str, choice: str, **form: Any) -> tuple[dict[str, str], str]:
    """Triggers manage_stream and answers its question, as `approved`."""
    return approved(here, "manage_stream", choice, {"stream": FICHEROS, "verb": verb, **form})


def approved(here: Here, dag: str, choice: str, form: dict[str, Any]) -> tuple[dict[str, str], str]:
    """Triggers `dag`, waits for its question, answers; (state of each task, what the page showed)."""
    run = here.rest.trigger(dag, form)
    until(lambda: here.task(dag, run, "approve")["state"] == "awaiting_input" and _heard(here, run), RUN_S)
    path = f"/api/v2/dags/{dag}/dagRuns/{run.replace('+', '%2B')}/taskInstances/approve/-1/hitlDetails"
    shown = str(here.rest.call("GET", path)["body"])
    here.rest.call("PATCH", path, {"chosen_options": [choice], "params_input": {}})
    here.rest.wait({dag: run}, RUN_S, lambda _: None)
    return {task["task_id"]: task["state"] for task in here.rest.tasks(dag, run)}, shown


def _heard(here: Here, run: str) -> bool:
    """True when the scheduler knows that the question is asked. Airflow 3.3 fails a task that is answered before that, within half a second."""
    log = (here.settings.layout.logs / "airflow-scheduler.log").read_text(errors="replace")
    return any("Received executor event" in line and "'approve'" in line and run in line for line in log.splitlines())


@pytest.fixture
def kept(here: Here) -> Iterator[list[str]]:
    """Processed files that stand in en_proceso again: restored, as after a run that was killed before it archived."""
    documents = here.put(20, seed=91)
    here.finish(FICHEROS, here.rest.trigger(FICHEROS))
    now, stream = datetime.now(UTC), streams.get(FICHEROS)
    asked = restore.Asked(batch=0)
    restore.apply(here.settings, stream, restore.plan(here.settings, stream, now, asked), now, asked)
    yield documents


def test_the_sweep_plans_then_does_it_a_person_decides_on_a_rollover_and_the_cleaning_has_nothing_to_do(here: Here, kept: list[str]) -> None:
    layout = here.settings.layout
    (name,) = [p.name for p in layout.en_proceso(FICHEROS).iterdir() if p.is_file()]

    plan = here.rest.asset_events("archive_processed_files", done(here, "archive_processed_files", {"dry_run": True}))[0]["extra"]
    (step,) = next(one["plan"] for one in plan["streams"] if one["plan"])["first_steps"]
    others = len([stream for stream in streams.collect()[0].values() if stream.folder]) - 1
    assert (plan["dry_run"], plan["files"], plan["states"]) == (True, 1, {"planned": 1, "nothing": others})
    assert (layout.home / step["source"]).name == name
    assert (layout.home / step["source"]).is_file() and not (layout.home / step["target"]).exists()

    run = done(here, "archive_processed_files", {"stream": FICHEROS})
    assert here.task("archive_processed_files", run, "archive")["state"] == "success"
    assert here.rest.xcom("archive_processed_files", run, "archive")["files"] == 1
    assert (layout.home / step["target"]).is_file() and not (layout.home / step["source"]).exists()
    assert step["target"] in here.log("archive_processed_files", run, "archive")

    states, shown = answer(here, "rollover", "Reject")
    assert states == {"plan": "success", "approve": "success", "apply": "skipped"}
    assert "generation 2 begins with the files that are not read yet" in shown
    assert generations.numbers(layout, FICHEROS) == [1]

    states, _ = answer(here, "rollover", "Approve")
    assert states == {"plan": "success", "approve": "success", "apply": "success"}
    assert generations.numbers(layout, FICHEROS) == [1, 2]
    assert here.rows() == lines(kept)

    for _ in range(2):
        cleaned = here.rest.xcom("clean_checkpoints", done(here, "clean_checkpoints", {}), "clean")
        assert (cleaned["bytes_freed"], set(cleaned["states"])) == (0, {"nothing"})


def test_refused_records_are_delivered_again_once_a_person_has_seen_the_plan(here: Here) -> None:
    layout = here.settings.layout
    layout.entrada(FICHEROS).mkdir(parents=True, exist_ok=True)
    (layout.entrada(FICHEROS) / "torn.json").write_bytes(b"{torn\n")
    here.finish(FICHEROS, here.rest.trigger(FICHEROS))
    form = {"stream": FICHEROS, "reasons": "malformed"}
    states, shown = approved(here, "reprocess_quarantine", "Approve", form)
    assert states == {"plan": "success", "approve": "success", "apply": "success"}
    assert "1 refused records (1 malformed)" in shown.replace("\\", "")
    (delivery,) = layout.entrada(FICHEROS).glob("reproceso-*")
    assert delivery.read_bytes().split(b"\n")[1:] == [b"{torn", b""]
    run = done(here, "reprocess_quarantine", form)
    assert {task["task_id"]: task["state"] for task in here.rest.tasks("reprocess_quarantine", run)}["plan"] == "skipped"


def test_bad_form_values_start_nothing(here: Here) -> None:
    with pytest.raises(Refused, match="min_age_s"):
        here.rest.trigger("archive_processed_files", {"min_age_s": -1})
    run = done(here, "manage_stream", {"stream": FICHEROS, "verb": "rewind"})
    states = {task["task_id"]: task["state"] for task in here.rest.tasks("manage_stream", run)}
    assert states == {"plan": "failed", "approve": "upstream_failed", "apply": "upstream_failed"}
    assert "usage: rewind needs to_batch" in here.log("manage_stream", run, "plan")
    with pytest.raises(Refused, match="since"):
        here.rest.trigger("reprocess_quarantine", {"since": "gestern"})
    run = done(here, "reprocess_quarantine", {"motivos": "malformed"})
    assert "unknown trigger key 'motivos'" in here.log("reprocess_quarantine", run, "plan")
