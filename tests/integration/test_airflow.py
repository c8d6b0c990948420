"""The DAGs under the real Airflow with the real launcher, Spark and broker: what an operator triggers, sees, and what a kill leaves behind.

It runs a copy of the checkout in which no stream has a schedule and a retry comes after 2 s, so every run here is one that a test asked for.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include import lease, streams
from include import settings as caudal
from include.kafka import topics
from include.samples import facturas
from include.services import airflow, processes, stack
from include.services.rest import Rest
from include.settings import ROOT, Settings
from jobs.contract import process, report
from jobs.contract.errors import Refused
from tests.matrix import seeded

pytestmark = [pytest.mark.airflow, pytest.mark.broker, pytest.mark.spark, pytest.mark.timeout(600)]

RUN_S = 180.0  # one small run takes 8 s on two free cores
FICHEROS = "facturas_ficheros"


@dataclass
class Here:
    """A home that is up."""

    settings: Settings
    rest: Rest

    def put(self, count: int, seed: int) -> list[str]:
        """One file of sample invoices in entrada; its documents."""
        sample = facturas.generate(count, seed, 1_795_464_907_250)
        path = self.settings.layout.entrada(FICHEROS) / f"{seed}.json"
        path.write_text("\n".join(sample.documents) + "\n")
        old = time.time() - 60
        os.utime(path, (old, old))
        return sample.documents

    def finish(self, dag: str, run: str) -> dict[str, Any]:
        """Waits for the run; its only or last task instance."""
        self.rest.wait({dag: run}, RUN_S, lambda _: None)
        return self.task(dag, run)

    def task(self, dag: str, run: str, name: str = "run") -> dict[str, Any]:
        return next(t for t in self.rest.tasks(dag, run) if t["task_id"] == name)

    def log(self, dag: str, run: str, task: str = "run", attempt: int = 1) -> str:
        """Everything the task's log shows, exceptions included."""
        path = f"/api/v2/dags/{dag}/dagRuns/{run.replace('+', '%2B')}/taskInstances/{task}/logs/{attempt}?full_content=true"
        return "\n".join(json.dumps(line, ensure_ascii=False) for line in self.rest.call("GET", path)["content"])

    def reports(self, stream: str) -> list[report.Report]:
        found = [report.read(path) for path in report.newest(self.settings.layout.runs(stream))]
        return [one for one in found if one is not None]

    def rows(self, stream: str = FICHEROS) -> Counter[str]:
        """Every published row, as a multiset."""
        parts = self.settings.layout.salida(stream).glob("gen=*/batch=*/part-*")
        return Counter(canonical(json.loads(line)) for part in parts for line in part.read_text().splitlines())

    def jvm(self) -> int:
        """The pid of the JVM that holds the stream's lease, once it is one."""
        found = 0

        def look() -> bool:
            nonlocal found
            found = process.lock_pid(self.settings.layout.lease(FICHEROS)) or 0
            return found > 0 and "java" in Path(f"/proc/{found}/comm").read_text()

        until(look, RUN_S)
        return found


def canonical(row: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in row.items() if value is not None}, sort_keys=True)


def lines(documents: list[str]) -> Counter[str]:
    """The rows that invoices must become, by plain Python."""
    return Counter(canonical(row) for document in documents for row in facturas.lines_of(document))


def until(look: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def gone(pid: int) -> bool:
    return process.process_state(pid) in (None, "Z")


def copy(root: Path) -> None:
    """This checkout without schedules, and with short pauses between tries."""
    for part in ("dags", "include", "jobs", "jvm"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    for row in (root / "include" / "streams").glob("[!_]*.py"):
        text, changed = re.subn(r"Stream\(\s*name=", "Stream(schedule=None, name=", row.read_text())
        assert changed == 1, row
        row.write_text(text)
    for dag in (root / "dags").glob("*.py"):  # nor do the sweeps come by while a test looks
        dag.write_text(re.sub(r'schedule="[^"]+"', "schedule=None", dag.read_text()))
    factory = root / "include" / "airflow_kit" / "stream_dag.py"
    text, changed = re.subn(r"^RETRY_DELAY_S = \d+", "RETRY_DELAY_S = 2", factory.read_text(), flags=re.MULTILINE)
    assert changed == 1
    factory.write_text(text)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    folder = tmp_path_factory.mktemp("airflow")
    copy(folder / "checkout")
    keep = {name: value for name, value in os.environ.items() if not name.startswith("CAUDAL_") or name == "CAUDAL_CACHE"}
    settings = replace(caudal.load({**keep, "CAUDAL_HOME": str(folder / "home")}), root=folder / "checkout")
    try:
        up = stack.up(settings)
        made = f"topics made: {', '.join(topic.name for topic in topics.declared(streams.collect()[0].values()))}"
        assert all("port" in note or note == made for note in up.notes)
        yield Here(settings, airflow.client(settings, up.ports))
    finally:
        stack.down(settings)
    assert processes.marked(settings.home) == set()


def test_a_triggered_run_publishes_its_rows_and_its_report_and_a_second_one_finds_nothing(here: Here) -> None:
    before = here.rows()
    documents = here.put(40, seed=11)
    run = here.rest.trigger(FICHEROS)
    task = here.finish(FICHEROS, run)
    assert (task["state"], task["try_number"], task["pool"]) == ("success", 1, "spark"), here.log(FICHEROS, run)
    assert here.rows() - before == lines(documents)
    found = here.reports(FICHEROS)[0]
    values = here.rest.xcom(FICHEROS, run, "run")
    archived = values["archive"]
    assert (archived["files"], archived["kept"], archived["error"]) == (1, 0, None)
    assert {key: value for key, value in values.items() if key not in ("archive", "files")} == json.loads(found.to_json())
    kept = {key: values[key] for key in ("airflow_run_id", "status", "exit_code", "error", "records_in", "rows_out", "quarantined", "files_admitted")}
    assert kept == {
        "airflow_run_id": run, "status": "done", "exit_code": 0, "error": None, "records_in": 40, "rows_out": sum(lines(documents).values()),
        "quarantined": 0, "files_admitted": 1,
    }  # fmt: skip
    (event,) = here.rest.asset_events(FICHEROS, run)
    assert (event["uri"], event["extra"]) == (f"caudal://salida/{FICHEROS}", values)
    assert f"{FICHEROS}: done in " in here.log(FICHEROS, run)

    idle = here.rest.trigger(FICHEROS)
    assert here.finish(FICHEROS, idle)["state"] == "success"
    assert here.rest.xcom(FICHEROS, idle, "run")["status"] == "idle"
    assert here.rows() - before == lines(documents)


def test_an_unknown_trigger_key_fails_by_name_without_a_retry_and_starts_nothing(here: Here) -> None:
    before = here.reports(FICHEROS)
    run = here.rest.trigger(FICHEROS, {"fecha": "2026-11-23"})
    task = here.finish(FICHEROS, run)
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
def test_a_kill_of_any_process_of_a_run_takes_all_of_it_and_the_retry_loses_and_repeats_nothing(here: Here, victim: str, seed: int) -> None:
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
    until(lambda: lease.holder(here.settings.layout, FICHEROS) is None or process.lock_pid(here.settings.layout.lease(FICHEROS)) != jvm, 5.0)
    last = here.finish(FICHEROS, run)
    assert (last["state"], last["try_number"]) == ("success", 2)
    assert here.rows() - before == lines(documents)
    if victim == "jvm":
        assert "the run was killed by signal 9; its report still says 'running'" in here.log(FICHEROS, run)


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


def test_an_operator_plays_the_whole_flow_from_the_form(here: Here) -> None:
    before = here.rows()
    with pytest.raises(Refused, match="messages"):
        here.rest.trigger("seed_kafka_topics", {"messages": 10_001})
    run = here.rest.trigger("seed_kafka_topics", {"messages": 60, "files": 2, "invoices": 25, "seed": 77})
    assert here.rest.wait({"seed_kafka_topics": run}, RUN_S, lambda _: None) == {"seed_kafka_topics": "success"}
    there = ["caudal-tokens-notificaciones", "facturas", "notificaciones", "temperaturas"]
    assert here.rest.xcom("seed_kafka_topics", run, "topics") == {"created": [], "already_there": there, "differences": []}
    sent = here.rest.xcom("seed_kafka_topics", run, "messages")
    put = here.rest.xcom("seed_kafka_topics", run, "files")
    assert (sent["messages"], sent["seed"], sent["totals"]["invoices"]) == (60, 77, 60)
    assert (len(put["files"]), put["totals"]["invoices"]) == (2, 50)
    assert f"total_amount {sent['totals']['total_amount']:,}" in here.log("seed_kafka_topics", run, "messages")

    runs = {dag: here.rest.trigger(dag) for dag in (FICHEROS, "facturas_kafka", "notificaciones")}
    assert set(here.rest.wait(runs, 2 * RUN_S, lambda _: None).values()) == {"success"}
    reports = {dag: here.rest.xcom(dag, one, "run") for dag, one in runs.items()}
    counts = {dag: (values["records_in"], values["rows_out"]) for dag, values in reports.items()}
    assert counts == {
        FICHEROS: (50, put["totals"]["lines"]), "facturas_kafka": (60, sent["totals"]["lines"]), "notificaciones": (60, 60),
    }  # fmt: skip
    assert sum((here.rows() - before).values()) == put["totals"]["lines"]
    assert sum(here.rows("facturas_kafka").values()) == sent["totals"]["lines"]
    (event,) = here.rest.asset_events("notificaciones", runs["notificaciones"])
    assert event["uri"] == "caudal://topic/notificaciones"

    again = here.rest.trigger("seed_kafka_topics", {"message": 60})
    assert here.rest.wait({"seed_kafka_topics": again}, RUN_S, lambda _: None) == {"seed_kafka_topics": "failed"}
    states = {t["task_id"]: t["state"] for t in here.rest.tasks("seed_kafka_topics", again)}
    assert states == {"topics": "failed", "messages": "upstream_failed", "files": "failed"}
    assert "unknown trigger key 'message'; it takes files, files_stream, invoices, messages," in here.log("seed_kafka_topics", again, "topics")
