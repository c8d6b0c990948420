"""The DAGs under the real Airflow, launcher, Spark and broker: what an operator triggers, sees and decides.

And what is left after a kill.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include import streams
from include.housekeeping.files import restore
from include.services import broker, canary, demo, processes, records, stack
from include.services.airflow import server
from include.services.airflow.rest import FINAL
from include.settings import Settings
from include.state import generations, lease
from jobs.contract.disk import processes as process
from jobs.contract.errors import CaudalError, Refused
from tests.integration.airflow_home import (
    FICHEROS,
    RUN_S,
    Here,
    family,
    gone,
    here,
    instance,
    lines,
    listening,
    parent,
    until,
)
from tests.integration.test_demo import NUMBERS_PER_DEMO
from tests.integration.test_new_stream import ADD, published, reference
from tests.integration.test_new_stream import lines as csv_lines
from tests.matrix import seeded

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
    """Triggers `dag`, waits for its question and answers it. Returns (task -> state, what the page
    showed)."""
    run = here.rest.trigger(dag, form)
    until(lambda: here.task(dag, run, "approve")["state"] == "awaiting_input" and _heard(here, run), RUN_S)
    path = f"{instance(dag, run, 'approve')}/-1/hitlDetails"
    shown = str(here.rest.call("GET", path)["body"])
    here.rest.call("PATCH", path, {"chosen_options": [choice], "params_input": {}})
    here.rest.wait({dag: run}, RUN_S, lambda _: None)
    return {task["task_id"]: task["state"] for task in here.rest.tasks(dag, run)}, shown


def _heard(here: Here, run: str) -> bool:
    """Whether the scheduler knows that the task waits for an answer. It does not in the first half second,
    and Airflow 3.3 fails a task that is answered before."""
    log = (here.settings.layout.logs / "airflow-scheduler.log").read_text(errors="replace")
    return any(
        "Received executor event" in line and "'approve'" in line and run in line for line in log.splitlines()
    )


def test_a_run_publishes_rows_and_report_a_second_finds_nothing_and_a_person_sends_back_what_was_refused(
    here: Here,
) -> None:
    before = here.rows()
    documents = here.put(40, seed=11)
    here.deliver("torn.json", "{torn\n")
    run = here.rest.trigger(FICHEROS)
    task = here.finish(FICHEROS, run)
    assert (task["state"], task["try_number"], task["pool"]) == ("success", 1, "spark"), here.log(
        FICHEROS, run
    )
    assert here.rows() - before == lines(documents)
    found = here.reports(FICHEROS)[0]
    values = here.rest.xcom(FICHEROS, run, "run")
    archived = values["archive"]
    assert (archived["files"], archived["kept"], archived["error"]) == (2, 0, None)
    assert {key: value for key, value in values.items() if key not in ("archive", "files")} == json.loads(
        found.to_json()
    )
    kept = {
        key: values[key]
        for key in (
            "airflow_run_id",
            "status",
            "exit_code",
            "error",
            "records_in",
            "rows_out",
            "quarantined",
            "files_admitted",
        )
    }
    assert kept == {
        "airflow_run_id": run,
        "status": "done",
        "exit_code": 0,
        "error": None,
        "records_in": 41,
        "rows_out": sum(lines(documents).values()),
        "quarantined": 1,
        "files_admitted": 2,
    }
    (event,) = here.rest.asset_events(FICHEROS, run)
    assert (event["uri"], event["extra"]) == (f"caudal://salida/{FICHEROS}", values)
    assert f"{FICHEROS}: done in " in here.log(FICHEROS, run)

    idle = here.rest.trigger(FICHEROS)
    assert here.finish(FICHEROS, idle)["state"] == "success"
    assert here.rest.xcom(FICHEROS, idle, "run")["status"] == "idle"
    assert here.rows() - before == lines(documents)

    form = {"stream": FICHEROS, "reasons": "malformed"}
    states, shown = approved(here, "reprocess_quarantine", "Approve", form)
    assert states == {"plan": "success", "approve": "success", "apply": "success"}
    assert "1 refused records (1 malformed)" in shown.replace("\\", "")
    (delivery,) = here.settings.layout.entrada(FICHEROS).glob("reproceso-*")
    assert delivery.read_bytes().split(b"\n")[1:] == [b"{torn", b""]
    run = done(here, "reprocess_quarantine", form)
    assert {task["task_id"]: task["state"] for task in here.rest.tasks("reprocess_quarantine", run)}[
        "plan"
    ] == "skipped"


@pytest.fixture
def kept(here: Here) -> Iterator[Counter[str]]:
    """Restores a processed file to en_proceso, as if a run had been killed before it archived. Yields the
    published rows."""
    if not (archived := sorted(here.settings.layout.archivo(FICHEROS).glob("*/*.json"))):
        here.put(20, seed=91)
        here.finish(FICHEROS, here.rest.trigger(FICHEROS))
        archived = sorted(here.settings.layout.archivo(FICHEROS).glob("*/*.json"))
    rows, now, stream = here.rows(), datetime.now(UTC), streams.get(FICHEROS)
    asked = restore.Asked(file=archived[-1].name)
    restore.apply(here.settings, stream, restore.plan(here.settings, stream, now, asked), now, asked)
    yield rows


def test_the_sweep_plans_then_does_it_a_person_decides_on_a_rollover_and_the_cleaning_has_nothing_to_do(
    here: Here, kept: Counter[str]
) -> None:
    layout = here.settings.layout
    before = generations.numbers(layout, FICHEROS)
    (name,) = [p.name for p in layout.en_proceso(FICHEROS).iterdir() if p.is_file()]

    plan = here.rest.asset_events(
        "archive_processed_files", done(here, "archive_processed_files", {"dry_run": True})
    )[0]["extra"]
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
    assert f"generation {before[-1] + 1} begins with the files that are not read yet" in shown
    assert generations.numbers(layout, FICHEROS) == before

    states, _ = answer(here, "rollover", "Approve")
    assert states == {"plan": "success", "approve": "success", "apply": "success"}
    assert generations.numbers(layout, FICHEROS) == [*before, before[-1] + 1]
    assert here.rows() == kept

    for _ in range(2):
        cleaned = here.rest.xcom("clean_checkpoints", done(here, "clean_checkpoints", {}), "clean")
        assert (cleaned["bytes_freed"], set(cleaned["states"])) == (0, {"nothing"})


def test_bad_form_values_and_unknown_trigger_keys_fail_by_name_without_a_retry_and_start_nothing(
    here: Here,
) -> None:
    with pytest.raises(Refused, match="min_age_s"):
        here.rest.trigger("archive_processed_files", {"min_age_s": -1})
    with pytest.raises(Refused, match="since"):
        here.rest.trigger("reprocess_quarantine", {"since": "gestern"})
    before = here.reports(FICHEROS)
    wrong = {
        "manage_stream": {"stream": FICHEROS, "verb": "rewind"},
        "reprocess_quarantine": {"motivos": "x"},
        FICHEROS: {"fecha": "2026-11-23"},
    }
    runs = {dag: here.rest.trigger(dag, form) for dag, form in wrong.items()}
    here.rest.wait(runs, RUN_S, lambda _: None)
    states = {
        task["task_id"]: task["state"] for task in here.rest.tasks("manage_stream", runs["manage_stream"])
    }
    assert states == {"plan": "failed", "approve": "upstream_failed", "apply": "upstream_failed"}
    assert "usage: rewind needs to_batch" in here.log("manage_stream", runs["manage_stream"], "plan")
    assert "unknown trigger key 'motivos'" in here.log(
        "reprocess_quarantine", runs["reprocess_quarantine"], "plan"
    )
    run, task = runs[FICHEROS], here.task(FICHEROS, runs[FICHEROS])
    assert (task["state"], task["try_number"]) == ("failed", 1)
    assert "usage: unknown trigger key 'fecha'; it takes none [facturas_ficheros]" in here.log(FICHEROS, run)
    assert here.reports(FICHEROS) == before


def test_a_held_lease_is_waited_for_without_a_slot_or_a_try_and_then_the_run_goes_on(here: Here) -> None:
    owner = lease.Owner(os.getpid(), "20261123T000000000Z-00000000", datetime.now(UTC).isoformat(), "a test")
    with lease.acquire(here.settings.layout, FICHEROS, owner):
        run = here.rest.trigger(FICHEROS)
        until(lambda: here.task(FICHEROS, run)["state"] == "up_for_reschedule", RUN_S)
        slots = here.rest.call("GET", "/api/v2/pools/spark")
        assert slots["open_slots"] == slots["slots"]
    task = here.finish(FICHEROS, run)
    assert (task["state"], task["try_number"]) == ("success", 1)
    log = here.log(FICHEROS, run)
    assert f"lease-held: {FICHEROS} is held by pid {os.getpid()} (running" in log
    assert "The lease is held; this task waits without a slot" in log


@pytest.mark.parametrize(("victim", "seed"), seeded([("supervisor", 21), ("task", 22), ("jvm", 23)], 1))
def test_a_kill_of_any_process_of_a_run_takes_all_of_it_and_the_retry_loses_and_repeats_nothing(
    here: Here, victim: str, seed: int
) -> None:
    before = here.rows()
    documents = here.put(30, seed)
    run = here.rest.trigger(FICHEROS)
    jvm = here.jvm()
    task = parent(jvm)
    supervisor = parent(task)
    os.kill({"supervisor": supervisor, "task": task, "jvm": jvm}[victim], signal.SIGKILL)
    until(lambda: gone(jvm), 5.0)
    if victim != "jvm":
        until(lambda: gone(task), 5.0)
    until(
        lambda: (
            lease.holder(here.settings.layout, FICHEROS) is None
            or process.lock_pid(here.settings.layout.lease(FICHEROS)) != jvm
        ),
        5.0,
    )
    last = here.finish(FICHEROS, run)
    assert (last["state"], last["try_number"]) == ("success", 2)
    assert here.rows() - before == lines(documents)
    if victim == "jvm":
        assert "driver-died: the driver was killed by signal 9" in here.log(FICHEROS, run)


def test_a_run_marked_failed_leaves_no_jvm_and_a_clear_finishes_its_work(here: Here) -> None:
    before = here.rows()
    documents = here.put(30, seed=31)
    run = here.rest.trigger(FICHEROS)
    jvm = here.jvm()
    path = f"/api/v2/dags/{FICHEROS}/dagRuns/{run.replace('+', '%2B')}"
    here.rest.call("PATCH", path, {"state": "failed"})
    until(lambda: gone(jvm), 30.0)
    here.rest.call("POST", f"{path}/clear", {"dry_run": False})
    assert here.finish(FICHEROS, run)["state"] == "success"
    assert here.rows() - before == lines(documents)


def test_what_an_operator_puts_in_from_the_form_comes_out_exactly_with_the_demo_s_own(here: Here) -> None:
    before = {dag: here.rows(dag).total() for dag in (FICHEROS, "facturas_kafka")}
    with pytest.raises(Refused, match="messages"):
        here.rest.trigger("seed_kafka_topics", {"messages": 10_001})
    run = here.rest.trigger("seed_kafka_topics", {"messages": 60, "files": 2, "invoices": 25, "seed": 77})
    again = here.rest.trigger("seed_kafka_topics", {"message": 60})
    assert here.rest.wait({"seed_kafka_topics": run}, RUN_S, lambda _: None) == {
        "seed_kafka_topics": "success"
    }
    there = ["caudal-tokens-notificaciones", "facturas", "notificaciones", "temperaturas"]
    assert here.rest.xcom("seed_kafka_topics", run, "topics") == {
        "created": [],
        "already_there": there,
        "differences": [],
    }
    sent = here.rest.xcom("seed_kafka_topics", run, "messages")
    put = here.rest.xcom("seed_kafka_topics", run, "files")
    assert (sent["messages"], sent["seed"], sent["totals"]["invoices"]) == (60, 77, 60)
    assert (len(put["files"]), put["totals"]["invoices"]) == (2, 50)
    assert f"total_amount {sent['totals']['total_amount']:,}" in here.log(
        "seed_kafka_topics", run, "messages"
    )
    assert here.rest.wait({"seed_kafka_topics": again}, RUN_S, lambda _: None) == {
        "seed_kafka_topics": "failed"
    }
    states = {t["task_id"]: t["state"] for t in here.rest.tasks("seed_kafka_topics", again)}
    assert states == {"topics": "failed", "messages": "upstream_failed", "files": "failed"}
    assert "unknown trigger key 'message'; it takes files, files_stream, invoices, messages," in here.log(
        "seed_kafka_topics", again, "topics"
    )

    found = here.checkout.verb("demo", "--json")
    assert found["agrees"] is True
    assert found["states"] == dict.fromkeys(demo.STREAMS, "success")
    assert len(found["checks"]) == NUMBERS_PER_DEMO
    assert [check for check in found["checks"] if check["expected"] != check["found"]] == []
    own = {check["stream"]: check["found"] for check in found["checks"] if check["what"] == "lines"}
    came = {dag: here.rows(dag).total() - rows for dag, rows in before.items()}
    assert came == {
        FICHEROS: own[FICHEROS] + put["totals"]["lines"],
        "facturas_kafka": own["facturas_kafka"] + sent["totals"]["lines"],
    }
    last = here.reports("notificaciones")[0]
    assert (last.records_in, last.rows_out) == (360, 360)
    (event,) = here.rest.asset_events("notificaciones", last.airflow_run_id)
    assert event["uri"] == "caudal://topic/notificaciones"


# the services, in the same home


def assert_no_secret_shows(settings: Settings) -> None:
    """No secret is in an argument, a variable or a log."""
    secrets = list(json.loads((settings.home / "airflow/keys.json").read_text()).values())
    shown = [
        text for process in family(settings) for text in (*process.cmdline(), *process.environ().values())
    ]
    shown += [path.read_text(errors="replace") for path in settings.layout.logs.rglob("*.log")]
    assert [text[:200] for text in shown if any(secret in text for secret in secrets)] == []
    for name in ("airflow.cfg", "keys.json", "passwords.json"):
        assert stat.S_IMODE((settings.home / "airflow" / name).stat().st_mode) == 0o600


@contextmanager
def held(database: Path, seconds: float) -> Iterator[None]:
    """Another writer locks the database for the first `seconds` of the block."""
    with closing(sqlite3.connect(database, isolation_level=None, check_same_thread=False)) as writer:
        writer.execute("PRAGMA busy_timeout = 30000")
        writer.execute("BEGIN IMMEDIATE")
        release = threading.Timer(seconds, lambda: writer.execute("ROLLBACK"))
        release.start()
        yield
        release.join()


def test_all_is_local_no_secret_shows_and_a_second_up_changes_nothing(here: Here) -> None:
    again = stack.up(here.settings)
    assert (again.started, {row.state for row in again.rows}) == (False, {"healthy"})
    assert 0 < again.proof.task_s < 60
    assert {row.name for row in again.rows} == {broker.NAME, *server.NAMES, records.SUPERVISOR}
    served = {
        ("127.0.0.1", port) for port in (again.ports.kafka, again.ports.controller, again.ports.airflow)
    }
    assert served <= listening(here.settings)
    assert {ip for ip, _ in listening(here.settings)} == {"127.0.0.1"}
    assert_no_secret_shows(here.settings)
    assert here.rest.call("GET", "/api/v2/pools/spark")["slots"] == max(1, (os.cpu_count() or 1) // 2)
    start = time.monotonic()
    last = stack.up(here.settings)
    assert time.monotonic() - start < 10  # 0.5 s on a free machine; a start takes 15 s
    assert (last.started, last.rows, last.ports) == (False, again.rows, again.ports)


def tried(here: Here) -> str:
    """What a canary run prints: its success, or its error in one line."""
    try:
        return str(canary.run(here.settings, here.rest))
    except CaudalError as error:
        return str(error)


def test_a_canary_runs_also_when_paused_and_only_the_newest_stays_in_the_history(here: Here) -> None:
    logs = here.settings.layout.logs / "airflow" / f"dag_id={canary.DAG}"
    here.rest.call("PATCH", f"/api/v2/dags/{canary.DAG}", {"is_paused": True})
    for _ in range(2):
        until(lambda: all(run["state"] in FINAL for run in here.rest.runs(canary.DAG)), 30)
        assert tried(here).startswith("a task ran through Airflow in ")
    (run,) = here.rest.runs(canary.DAG)
    assert [path.name for path in logs.iterdir()] == [f"run_id={run['dag_run_id']}"]


def test_a_canary_that_fails_says_why_from_its_own_log_else_from_the_schedulers(here: Here) -> None:
    probe, logs = (
        here.settings.home / "runs" / ".canary",
        here.settings.layout.logs / "airflow" / f"dag_id={canary.DAG}",
    )
    probe.mkdir()
    found = tried(here)
    assert (
        found.startswith("no-task-runs: a task fails: ") and str(probe) in found and "attempt=1.log" in found
    )
    probe.rmdir()
    until(lambda: all(run["state"] in FINAL for run in here.rest.runs(canary.DAG)), 30)
    logs.rename(logs.with_name("aside"))
    logs.write_text("where its folder should be")
    found = tried(here)
    assert (
        found.startswith("no-task-runs: a task fails and left no log: ") and "airflow-scheduler.log" in found
    )
    assert str(logs) in found
    logs.unlink()
    assert tried(here).startswith("a task ran")


def test_a_locked_database_of_airflow_is_asked_again(here: Here) -> None:
    with held(server.home_of(here.settings) / "airflow.db", 7.0):  # Airflow gives up after 5 s
        here.rest.ensure_pool("otro", 2, "made while the database was locked")
    assert here.rest.call("GET", "/api/v2/pools/otro")["slots"] == 2


def test_killed_services_are_back_after_an_up_and_no_other_has_been_started_again(here: Here) -> None:
    victims = {broker.NAME, "airflow-scheduler", records.SUPERVISOR}
    before = {row.name: row.pid for row in stack.rows(here.settings)}
    for name in victims:
        os.kill(before[name], signal.SIGKILL)
    until(lambda: not any(processes.started(before[name]) for name in victims), 10)
    healed = stack.up(here.settings)
    assert {row.state for row in healed.rows} == {"healthy"}
    assert {row.name for row in healed.rows if row.pid != before[row.name]} == victims


LISTED_S = 15.0  # 2 s on a free machine: new-stream tells Airflow to read the registry again
LOOKED_AT = ("service", "broker", "topics", "DAGs", "registry", "stream mediciones")


def findings(here: Here) -> list[dict[str, str]]:
    """What doctor finds in the copy and its home."""
    found: list[dict[str, str]] = json.loads(
        here.checkout.python("-m", "include.cli", "doctor", "--json").stdout.splitlines()[-1]
    )["findings"]
    return found


@pytest.fixture
def added(here: Here) -> Iterator[None]:
    """new-stream adds a stream of csv files while Airflow runs. At the end it is removed, with a DAG that
    does not load."""
    written = [*map(Path, here.checkout.verb(*ADD)["written"]), here.checkout.root / "dags/rota.py"]
    yield
    for path in written:
        path.unlink(missing_ok=True)  # gone from the registry at once; Airflow lists the DAG for some minutes


@pytest.mark.usefixtures("added")
def test_a_new_stream_appears_within_seconds_runs_and_doctor_names_what_is_broken(here: Here) -> None:
    until(lambda: "mediciones" in here.rest.dags(), LISTED_S)
    text = csv_lines(3, 40)
    source = here.settings.home / "m.csv"
    source.write_text(text, newline="")
    here.checkout.verb("put", "mediciones", str(source), "--json")
    run = here.rest.trigger("mediciones")
    assert here.rest.wait({"mediciones": run}, RUN_S, lambda _: None) == {"mediciones": "success"}
    assert published(here.settings.home) == reference(text)

    sound = findings(here)
    assert [f for f in sound if f["state"] == "wrong"] == []
    assert {f["state"] for f in sound if f["check"] in LOOKED_AT} == {"ok"}
    (here.checkout.root / "dags/rota.py").write_text(
        '"""A broken DAG of Airflow."""\n\nimport nothing_of_that_name\n'
    )
    until(here.rest.import_errors, 60)
    broken = [(f["check"], f["what"]) for f in findings(here) if f["state"] == "wrong"]
    assert broken == [
        ("DAGs", "rota.py does not load: ModuleNotFoundError: No module named 'nothing_of_that_name'")
    ]
