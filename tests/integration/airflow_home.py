"""A home with the real Airflow, broker and launcher, for tests that use DAGs as an operator does.

It runs a copy of the checkout in which no stream has a schedule, so each run is one that a test asked for. A
retry comes after 2 s.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from include import settings as caudal
from include import streams
from include.kafka import topics
from include.samples import facturas
from include.services import broker, processes, records, stack
from include.services.airflow import server
from include.services.airflow.rest import Rest
from include.settings import Settings
from include.torture.runs import multiset
from jobs.contract.disk import processes as process
from jobs.contract.run import report
from tests.integration.checkout import Checkout

RUN_S = 180.0  # one small run takes 8 s on two free cores
FICHEROS = "facturas_ficheros"
# with either of them in its environment, every task would die without a log
UNUSABLE = {"ALL_PROXY": "socks://127.0.0.1:1", "NO_PROXY": "localhost:*"}


@dataclass
class Here:
    """A home that is up."""

    settings: Settings
    rest: Rest
    checkout: Checkout

    def put(self, count: int, seed: int) -> list[str]:
        """Puts one file of sample invoices into entrada. Returns its documents."""
        sample = facturas.generate(count, seed, 1_795_464_907_250)
        self.deliver(f"{seed}.json", "\n".join(sample.documents) + "\n")
        return sample.documents

    def deliver(self, name: str, text: str) -> None:
        path = self.settings.layout.entrada(FICHEROS) / name
        path.write_text(text)
        old = time.time() - 60
        os.utime(path, (old, old))

    def finish(self, dag: str, run: str) -> dict[str, Any]:
        """Waits for the run. Returns the newest instance of its task `run`."""
        self.rest.wait({dag: run}, RUN_S, lambda _: None)
        return self.task(dag, run)

    def task(self, dag: str, run: str, name: str = "run") -> dict[str, Any]:
        return next(t for t in self.rest.tasks(dag, run) if t["task_id"] == name)

    def log(self, dag: str, run: str, task: str = "run", attempt: int = 1) -> str:
        """Everything the task's log shows, exceptions included."""
        path = f"{instance(dag, run, task)}/logs/{attempt}?full_content=true"
        return "\n".join(
            json.dumps(line, ensure_ascii=False) for line in self.rest.call("GET", path)["content"]
        )

    def reports(self, stream: str) -> list[report.Report]:
        read = [report.read(path) for path in report.newest(self.settings.layout.runs(stream))]
        return [found for found in read if found is not None]

    def rows(self, stream: str = FICHEROS) -> Counter[str]:
        """Every published row, as a multiset."""
        parts = self.settings.layout.salida(stream).glob("gen=*/batch=*/part-*")
        return multiset(json.loads(line) for part in parts for line in part.read_text().splitlines())

    def jvm(self) -> int:
        """The pid of the JVM that holds the stream's lease. Waits until the launcher has become one."""
        found = 0

        def look() -> bool:
            nonlocal found
            found = process.lock_pid(self.settings.layout.lease(FICHEROS)) or 0
            return found > 0 and "java" in Path(f"/proc/{found}/comm").read_text()

        until(look, RUN_S)
        return found


def instance(dag: str, run: str, task: str) -> str:
    """The path of a task instance in Airflow's REST API. The + of a run id must be quoted there."""
    return f"/api/v2/dags/{dag}/dagRuns/{run.replace('+', '%2B')}/taskInstances/{task}"


def lines(documents: list[str]) -> Counter[str]:
    """The rows that invoices must become, made by plain Python."""
    return multiset(row for document in documents for row in facturas.lines_of(document))


def until(look: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def gone(pid: int) -> bool:
    return process.process_state(pid) in (None, "Z")


def without_schedules(root: Path) -> None:
    """Takes the schedules out of the checkout at `root`, and shortens the pause between tries."""
    for row in (root / "include" / "streams").glob("[!_]*.py"):
        text, changed = re.subn(r"Stream\(\s*name=", "Stream(schedule=None, name=", row.read_text())
        assert changed == 1, row
        row.write_text(text)
    for dag in (root / "dags").glob("*.py"):  # the sweeps must not come by while a test looks
        dag.write_text(re.sub(r'schedule="[^"]+"', "schedule=None", dag.read_text()))
    factory = root / "include" / "airflow_kit" / "stream_dag.py"
    text, changed = re.subn(
        r"^RETRY_DELAY_S = \d+", "RETRY_DELAY_S = 2", factory.read_text(), flags=re.MULTILINE
    )
    assert changed == 1
    factory.write_text(text)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    """A home that is up. At the end, half of its services are killed, and `down` must still end all of
    them."""
    checkout = Checkout.copied(tmp_path_factory.mktemp("airflow"))
    without_schedules(checkout.root)
    settings = replace(caudal.load(checkout.environ | UNUSABLE), root=checkout.root)
    try:
        up = stack.up(settings)
        assert up.started
        declared = topics.declared(streams.collect()[0].values())
        made = f"topics made: {', '.join(topic.name for topic in declared)}"
        left_out = [note for note in up.notes if "left out" in note]
        assert [note.partition(":")[0] for note in left_out] == ["ALL_PROXY, NO_PROXY"]
        assert all("port" in note or note == made for note in up.notes if note not in left_out)
        yield Here(settings, server.client(settings, up.ports), checkout)
        _crash_and_go_down(settings)
    finally:
        stack.down(settings)
    assert processes.marked(settings.home) == set()


def _crash_and_go_down(settings: Settings) -> None:
    everything, pids = family(settings), {row.name: row.pid for row in stack.rows(settings)}
    for name in (records.SUPERVISOR, "airflow-api", "airflow-scheduler"):
        os.kill(pids[name], signal.SIGKILL)
    assert set(stack.down(settings)) >= {broker.NAME, "airflow-dags", "airflow-triggerer"}
    assert [
        process for process in everything if process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    ] == []
    assert stack.left_overs(settings) == set()
    assert stack.down(settings) == []
    assert {row.state for row in stack.rows(settings)} == {"stopped"}


def family(settings: Settings) -> list[psutil.Process]:
    """All processes of the home's services, without those that end while they are listed."""
    leaders = [record.identity for record in records.read_records(settings.home).values()]
    alive = []
    for pid in processes.members(leaders) | processes.marked(settings.home):
        with suppress(psutil.NoSuchProcess):
            alive.append(psutil.Process(pid))
    return alive


def connections(process: psutil.Process) -> list[Any]:
    """The sockets of a process; empty if it ended meanwhile."""
    try:
        return list(process.net_connections())
    except psutil.Error:
        return []


def listening(settings: Settings) -> set[tuple[str, int]]:
    found = [
        one
        for process in family(settings)
        for one in connections(process)
        if one.status == psutil.CONN_LISTEN
    ]
    return {(one.laddr.ip.removeprefix("::ffff:"), one.laddr.port) for one in found}
