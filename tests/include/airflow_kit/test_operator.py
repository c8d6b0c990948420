"""The operator against a real child process that keeps the launcher's contract: what it hands over, what it
makes of each end."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowTaskTimeout,
)

from include import settings
from include.airflow_kit import operator
from include.airflow_kit.operator import StreamOperator
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import PlannedFileMissing, UsageError
from jobs.contract.run import report
from jobs.contract.stream import Files, Limits, Stream

ROOT = Path(__file__).resolve().parents[3]
STREAM = Stream(name="f", source=Files(), sink=Files(), lease_wait_s=60, limits=Limits(run_s=100))
RUN = "manual__2026-11-23T10:00:00.000001+00:00"
DONE = {"status": "done", "records_in": 5, "rows_out": 7, "batches": [0], "generation": 1, "duration_s": 0.5}


class Task:
    """One operator in a home of its own; `run` is one attempt."""

    def __init__(self, home: Path) -> None:
        self.layout = Layout(home)
        self.binary = home / "spark-submit"
        self.binary.write_text(
            f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("launcher.py")} "$@"\n'
        )
        self.binary.chmod(0o755)
        self.ran: list[StreamOperator] = []
        self.first_held: datetime | None = None
        self.extra: Any = SimpleNamespace(extra=None)

    def script(self, **values: Any) -> None:
        (self.layout.home / "script").write_text(json.dumps(values))

    def operator(self, stream: Stream = STREAM) -> StreamOperator:
        return StreamOperator(task_id="run", stream=stream, spark_binary=str(self.binary))

    def run(
        self, operator: StreamOperator | None = None, conf: dict[str, Any] | None = None, run_id: str = RUN
    ) -> dict[str, Any]:
        task = operator or self.operator()
        self.ran.append(task)
        ti = SimpleNamespace(
            get_first_reschedule_date=lambda _: self.first_held, start_date=datetime.now(UTC)
        )
        context = {
            "dag": SimpleNamespace(dag_id="f", params={}),
            "dag_run": SimpleNamespace(conf=conf or {}),
            "run_id": run_id,
            "ti": ti,
            "outlet_events": {task.outlets[0]: self.extra},
        }
        token = ExecutorSafeguard.tracker.set(task)
        try:
            return task.execute(context)
        finally:
            ExecutorSafeguard.tracker.reset(token)

    def close(self) -> None:
        """The provider leaves the launcher's pipe and, after a kill, the ended process to the end of the
        task's own process."""
        for hook in (task._hook for task in self.ran):
            if hook is not None and hook._submit_sp is not None:
                hook._submit_sp.kill()
                hook._submit_sp.communicate()

    @contextmanager
    def held(self) -> Iterator[None]:
        self.layout.lease("f").parent.mkdir(parents=True, exist_ok=True)
        with self.layout.lease("f").open("a") as lease:
            fcntl.flock(lease, fcntl.LOCK_EX)
            yield

    def pid(self) -> int:
        """The launcher's, as soon as it has written its report."""
        deadline_s = time.monotonic() + 20
        while not list(self.layout.runs("f").glob("*/report.json")):
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        return int((self.layout.home / "pid").read_text())


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Task]:
    monkeypatch.setenv("CAUDAL_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", '{"conn_type": "spark", "host": "local[2]"}')
    monkeypatch.setattr(settings, "load", lambda env=os.environ, load=settings.load: load(env))
    monkeypatch.setattr(
        operator, "_die_with_supervisor", lambda: None
    )  # it would tie pytest to its parent; tested below in a process of its own
    found = Task(tmp_path)
    found.script(end=DONE)
    yield found
    found.close()


def failure(task: Task, kind: type[BaseException], **run: Any) -> str:
    with pytest.raises(kind) as raised:
        task.run(**run)
    assert type(raised.value) is kind
    return str(raised.value)


def test_the_launcher_gets_a_stream_and_a_run_id_and_nothing_more(task: Task) -> None:
    task.run()
    assert json.loads((task.layout.home / "argv").read_text()) == [
        "--master",
        "local[2]",
        "--name",
        "f",
        str(ROOT / "jobs" / "f.py"),
        "--stream",
        "f",
        "--airflow-run-id",
        RUN,
    ]


def test_the_report_is_the_result_and_the_extra_of_the_output_s_asset(task: Task) -> None:
    values = task.run()
    assert {key: values[key] for key in DONE} == DONE
    assert (values["stream"], values["airflow_run_id"], values["exit_code"], values["error"]) == (
        "f",
        RUN,
        0,
        None,
    )
    assert task.extra.extra == values


def test_no_field_is_a_template() -> None:
    assert StreamOperator.template_fields == ()


def test_an_unknown_trigger_key_starts_nothing(task: Task) -> None:
    text = failure(task, AirflowFailException, conf={"fecha": "2026"})
    assert text.startswith("usage: unknown trigger key 'fecha'; it takes none [f]")
    assert not (task.layout.home / "argv").exists()


@pytest.mark.parametrize("run_id", ["--master=x", "a b", "a\nb", "a'b", "a/../b", "", "x" * 251, "ñ"])
def test_a_run_id_that_is_no_safe_word_starts_nothing(task: Task, run_id: str) -> None:
    assert failure(task, AirflowFailException, run_id=run_id).startswith("usage: the run id ")
    assert not (task.layout.home / "argv").exists()


@pytest.mark.parametrize("run_id", [RUN, "scheduled__2026-11-23T10:05:00+00:00", "my-run_1.~x"])
def test_airflow_s_own_run_ids_pass(run_id: str) -> None:
    assert operator.checked_run_id(run_id) == run_id


def test_a_foreseen_failure_is_the_report_s_line_and_not_retried_when_permanent(task: Task) -> None:
    error = PlannedFileMissing("0001-x.json is gone", "en_proceso/f").to_json()
    task.script(
        end={"status": "failed", "exit_code": 65, "error": error},
        exit=65,
        say="Caused by: java.lang.Exception",
    )
    text = failure(task, AirflowFailException)
    assert text.startswith(
        "planned-file-missing: 0001-x.json is gone [en_proceso/f] -> command line: if the file is in "
        "archivo: ./caudal restore STREAM --file NAME"
    )
    assert "Airflow: The task stays red" in text
    assert "java" not in text


def test_a_service_that_is_away_is_retried(task: Task) -> None:
    error = {
        "code": "broker-down",
        "exit_code": 69,
        "what": "no answer",
        "where": "127.0.0.1:1",
        "cli": "up",
        "ui": "",
    }
    task.script(end={"status": "failed", "exit_code": 69, "error": error}, exit=69)
    assert failure(task, AirflowException) == "broker-down: no answer [127.0.0.1:1] -> command line: up"


def test_a_batch_conflict_is_not_retried_though_other_bugs_are(task: Task) -> None:
    def end(code: str) -> dict[str, Any]:
        return {
            "status": "failed",
            "exit_code": 70,
            "error": {"code": code, "exit_code": 70, "what": "w", "where": "", "cli": "", "ui": ""},
        }

    task.script(end=end("batch-conflict"), exit=70)
    assert failure(task, AirflowFailException) == "batch-conflict: w"
    task.script(end=end("run-failed"), exit=70)
    assert failure(task, AirflowException) == "run-failed: w"


def test_a_launcher_that_gave_up_before_its_report_is_told_by_its_own_line(task: Task) -> None:
    task.script(
        report=False,
        say="unknown-stream: no stream 'f' [include/streams/] -> ./caudal status lists the streams",
        exit=64,
    )
    assert (
        failure(task, AirflowFailException)
        == "unknown-stream: no stream 'f' [include/streams/] -> ./caudal status lists the streams"
    )


def test_an_end_without_report_and_reason_says_so_and_is_retried(task: Task) -> None:
    task.script(report=False, say="Segmentation fault", exit=139)
    expected = (
        "the launcher ended with exit code 139 and left no report of this run; it said: Segmentation fault"
    )
    assert failure(task, AirflowException) == expected


def test_an_old_report_of_the_same_airflow_run_is_not_taken_for_this_try_s(task: Task) -> None:
    task.run()
    task.script(report=False, say="installation: a jar is missing [x] -> ./caudal setup", exit=78)
    assert failure(task, AirflowFailException).startswith("installation: a jar is missing")


def test_a_good_exit_code_with_an_unfinished_report_is_no_success(task: Task) -> None:
    task.script(end={"status": "failed"})
    assert "the run ended with exit code 0; its report still says 'failed'" in failure(task, AirflowException)


def test_a_driver_that_ends_without_its_report_gets_one_with_its_last_lines(task: Task) -> None:
    task.script(exit=1, say="Conflicting collector combinations in option list")
    text = failure(task, AirflowException)
    assert text.startswith(
        "driver-died: the driver ended with exit code 1 and without a report; it said: Conflicting "
        "collector combinations"
    )
    (found,) = [report.read(path) for path in report.newest(task.layout.runs("f"))]
    assert found is not None and found.error is not None
    assert (found.status, found.exit_code, found.error["code"]) == ("failed", 70, "driver-died")
    assert "Conflicting collector combinations in option list" in found.error["log"]


def test_a_good_exit_code_without_a_report_is_no_success(task: Task) -> None:
    task.script(report=False)
    assert "exit code 0 and left no report" in failure(task, AirflowException)


def later(action: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def test_a_killed_run_is_told_as_killed_and_retried(task: Task) -> None:
    task.script(sleep_s=30)
    thread = later(lambda: os.kill(task.pid(), signal.SIGKILL))
    text = failure(task, AirflowException)
    thread.join()
    assert text.startswith(
        "driver-died: the driver was killed by signal 9 (SIGKILL, which the system sends when memory runs "
        "out)"
    )
    assert str(task.layout.runs("f")) in text


def test_on_kill_ends_the_launcher_and_says_who_asked(task: Task) -> None:
    task.script(sleep_s=30)
    stream_task = task.operator()
    thread = later(lambda: (task.pid(), stream_task.on_kill())[1])
    text = failure(task, AirflowException, operator=stream_task)
    thread.join()
    assert "killed by signal 9 (SIGKILL" in text
    assert text.endswith("(Airflow asked for its end: marked, cleared or shut down)")


def test_on_kill_before_anything_started_does_nothing(task: Task) -> None:
    task.operator().on_kill()


def test_a_run_over_its_limit_is_killed_and_told_with_the_limit(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    task.script(sleep_s=30)

    def ring(_number: int, _frame: object) -> None:
        raise AirflowTaskTimeout

    old = signal.signal(
        signal.SIGUSR1, ring
    )  # as Airflow's own timeout does with SIGALRM, which pytest-timeout uses
    try:
        thread = later(lambda: (task.pid(), os.kill(os.getpid(), signal.SIGUSR1))[1])
        text = failure(task, AirflowException)
    finally:
        signal.signal(signal.SIGUSR1, old)
    thread.join()
    assert text.startswith(
        "run-failed: stopped after limits.run_s=100 s; what was published stays, the next run goes on from "
        "there [f]"
    )
    (found,) = [report.read(path) for path in report.newest(task.layout.runs("f"))]
    assert found is not None and found.error is not None
    assert (found.status, found.error["code"], "limits.run_s=100 s" in found.error["what"]) == (
        "failed",
        "run-failed",
        True,
    )
    deadline_s = time.monotonic() + 5
    while (
        Path(f"/proc/{task.pid()}/stat").exists()
        and ") Z " not in Path(f"/proc/{task.pid()}/stat").read_text()
    ):
        assert time.monotonic() < deadline_s, "the launcher lives on"
        time.sleep(0.02)


def test_a_held_lease_is_waited_for_without_using_up_a_try(task: Task) -> None:
    with task.held(), pytest.raises(AirflowRescheduleException) as raised:
        task.run()
    wait = raised.value.reschedule_date - datetime.now(UTC)
    assert timedelta(seconds=operator.LEASE_POLL_S - 2) < wait <= timedelta(seconds=operator.LEASE_POLL_S)


def test_the_wait_for_the_lease_ends_with_lease_wait_s_and_not_later(task: Task) -> None:
    task.first_held = datetime.now(UTC) - timedelta(seconds=55)
    with task.held(), pytest.raises(AirflowRescheduleException) as raised:
        task.run()
    assert raised.value.reschedule_date - task.first_held <= timedelta(seconds=61)


def test_a_lease_held_for_too_long_fails_with_its_holder(task: Task) -> None:
    task.first_held = datetime.now(UTC) - timedelta(seconds=61)
    with task.held():
        text = failure(task, AirflowFailException)
    assert text.startswith(
        "lease-held: still held after lease_wait_s=60 s: run 7 holds the lease, pid 1 [f] [f] -> command "
        "line: wait"
    )


def test_a_missing_connection_is_said_instead_of_asking_for_yarn(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", '{"conn_type": "spark", "host": "yarn"}')
    assert "spark_default is missing, so Spark's master would be yarn" in failure(task, AirflowFailException)
    assert not (task.layout.home / "argv").exists()


def test_cluster_mode_is_refused_since_no_driver_here_could_hold_the_lease(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_SPARK_DEFAULT",
        '{"conn_type": "spark", "host": "spark://h:7077", "extra": {"deploy-mode": "cluster"}}',
    )
    assert "asks for cluster mode" in failure(task, AirflowFailException)


def test_usage_errors_of_the_run_id_name_the_field() -> None:
    with pytest.raises(UsageError) as raised:
        operator.checked_run_id("-x")
    assert raised.value.where == "dag_run_id"
