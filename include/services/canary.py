"""Checks that Airflow really runs tasks: one small task goes through scheduler, executor and the tasks' API,
as a stream's run does.

A service that reports healthy may still fail to run tasks. A task that dies before it has a log is noticed by
nothing else.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.services import files, ports, records
from include.services.airflow import server
from include.services.airflow.rest import FINAL, Rest
from include.settings import Settings
from jobs.contract.deadline import attempts
from jobs.contract.errors import CaudalError, DiskFull, InstallationError, NoTaskRuns, Refused

DAG, TASK = "caudal_canary", "work"
TASK_S = 90.0  # 3 s on two free cores
_POLL_S = 0.2
# by then Airflow has given up lost tasks (task_instance_heartbeat_timeout): those listed as running do run
_BUSY_S = 25.0
_WAITS = {"queued": "not started", "scheduled": "waiting for a place", "running": "not done"}
_RUN_ID = re.compile(r"[\w.:+-]{1,250}")
_REASON = re.compile(
    r"^\s*(?:[A-Za-z_][\w.]*\.)?\w*(?:Error|Exception|Refused|Invalid\w+|Timeout|Interrupt)\b\s*(?::|$)"
)
_TOLD = re.compile(r"\b(?:error|critical|fatal)\b", re.IGNORECASE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FULL = ("No space left on device", "database or disk is full", "Disk quota exceeded")


@dataclass(frozen=True)
class Proof:
    """`task_s`: seconds from the trigger to the task's end. `busy`: no task was tried, because as many run as
    may run at once."""

    task_s: float
    busy: bool = False

    def __str__(self) -> str:
        busy = f"no task was tried: {server.PARALLELISM} tasks are running, and that is the most at a time"
        return busy if self.busy else f"a task ran through Airflow in {self.task_s:.1f} s"


@dataclass(frozen=True)
class _Try:
    """`marks`: for each log, its size when the task was triggered."""

    settings: Settings
    rest: Rest
    marks: dict[Path, int]
    run: str = ""


def run(
    settings: Settings, rest: Rest, said: Callable[[str], None] = lambda _: None, timeout_s: float = TASK_S
) -> Proof:
    """Runs one task and waits for its end. Raises NoTaskRuns with the cause, DiskFull, InstallationError,
    ServiceError."""
    if not (file := settings.root / "dags" / f"{DAG}.py").is_file():
        raise InstallationError(
            "Airflow cannot be tested without this DAG: the checkout is incomplete", file, cli="git status"
        )
    one = _Try(settings, rest, {log: _size(log) for log in _logs(settings)})
    _await_dag(one, said, timeout_s)
    _forget_runs(settings, rest)
    return _await_task(_Try(settings, rest, one.marks, rest.trigger(DAG)), said, time.monotonic(), timeout_s)


def _logs(settings: Settings) -> list[Path]:
    """The services' own logs, most likely first to explain why a task did not run."""
    names = ("airflow-scheduler", server.API, "airflow-dags", records.SUPERVISOR)
    return [records.log_of(settings.home, name) for name in names]


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def _await_dag(one: _Try, said: Callable[[str], None], timeout_s: float) -> None:
    """Waits until the canary's DAG is listed. If somebody has paused it, it is switched on: its runs would
    wait for ever."""
    for _ in attempts(timeout_s, _POLL_S):
        if listed := one.rest.dags().get(DAG):
            break
        broken = [reason for file, reason in one.rest.import_errors() if Path(file).name == f"{DAG}.py"]
        if broken:
            raise NoTaskRuns(
                f"its DAGs do not load: {broken[0][:300]}", one.settings.root / "dags" / f"{DAG}.py"
            )
        said("waiting for Airflow to read its DAGs")
    else:
        raise _failure(one, f"Airflow lists no DAG {DAG}", records.log_of(one.settings.home, "airflow-dags"))
    if listed["is_paused"]:
        one.rest.unpause(DAG)


def _await_task(one: _Try, said: Callable[[str], None], start: float, timeout_s: float) -> Proof:
    while True:
        state, spent = _state(one), time.monotonic() - start
        if state == "success":
            return Proof(spent)
        if state in FINAL:
            raise _failure(one, "a task fails", *_task_log(one))
        if spent > _BUSY_S and one.rest.running_tasks() >= server.PARALLELISM:
            return Proof(spent, busy=True)
        if spent > timeout_s:
            raise _failure(
                one, f"a task is {_WAITS.get(state, state)} after {timeout_s:.0f} s", *_task_log(one)
            )
        said(f"waiting for a first task to run ({state})")
        time.sleep(_POLL_S)


def _state(one: _Try) -> str:
    """The state of the task; that of its run if the run has ended without it."""
    state = str(one.rest.run(DAG, one.run)["state"])
    tasks = [] if state == "queued" else one.rest.tasks(DAG, one.run)
    return next((str(task["state"]) for task in tasks if task["state"]), state)


def _forget_runs(settings: Settings, rest: Rest) -> None:
    """Removes earlier canary runs and their logs, because the history is for the operators. A run under way
    stays."""
    for old in rest.runs(DAG):
        run_id = str(old["dag_run_id"])
        if str(old["state"]) not in FINAL or not _RUN_ID.fullmatch(run_id):
            continue
        try:
            rest.delete_run(DAG, run_id)
        except Refused:
            continue  # another canary has deleted it
        log = settings.layout.logs / "airflow" / f"dag_id={DAG}" / f"run_id={run_id}"
        shutil.rmtree(log, ignore_errors=True)  # noqa: TID251 - the log of a run that Airflow no longer knows; holds no data


def _task_log(one: _Try) -> tuple[Path, str]:
    """(the place of the task's log, the reason in it). The reason is empty if the task died before it had a
    log."""
    place = (
        one.settings.layout.logs
        / "airflow"
        / f"dag_id={DAG}"
        / f"run_id={one.run}"
        / f"task_id={TASK}"
        / "attempt=1.log"
    )
    if not place.is_file():
        return place, ""
    try:
        lines = one.rest.log(DAG, one.run, TASK)
    except CaudalError:
        return place, ""
    return place, _last_error(lines)


def _last_error(lines: list[dict[str, Any]]) -> str:
    """The newest error of a task's log, or its exception if it has one."""
    for line in reversed(lines):
        for error in line.get("error_detail") or []:
            return f"{error.get('exc_type')}: {error.get('exc_value')}"
        if str(line.get("level")) in ("error", "critical"):
            return str(line.get("event", ""))
    return ""


def _failure(one: _Try, what: str, where: Path, reason: str = "") -> CaudalError:
    """An error that says `what`, and the cause: from the task's own log, or from what the services have
    logged since the trigger."""
    if reason:
        return _told(what, reason, where)
    for log in one.marks:
        if cause := _reason(list(_since(log, one.marks[log]))):
            return _told(f"{what} and left no log", cause, log)
    return NoTaskRuns(f"{what}, and no log says why{_unwell(one.settings)}", _logs(one.settings)[0])


def _unwell(settings: Settings) -> str:
    """Services that were healthy and are no longer: one that was stopped, or hangs, logs nothing."""
    chosen = ports.remembered(settings)
    states = server.states(chosen, records.read_records(settings.home)) if chosen else {}
    return "".join(f"; {name} is {state}" for name, state in states.items() if state != "healthy")


def _told(what: str, reason: str, where: Path) -> CaudalError:
    if any(sign in reason for sign in _FULL):
        return DiskFull(f"{what}: the disk or quota is full", where)
    return NoTaskRuns(f"{what}: {' '.join(reason.split())[:300]}", where)


def _since(log: Path, mark: int) -> Iterator[str]:
    """What was written after `mark`; all of it if the log was cut meanwhile."""
    size = _size(log)
    text = "\n".join(files.tail(log, size - mark if size >= mark else size or 1)) if size != mark else ""
    yield from (_COLOUR.sub("", line) for line in text.splitlines())


def _reason(lines: list[str]) -> str:
    """The newest line that ends a trace, or else the newest that is an error."""
    full = [line for line in lines if any(sign in line for sign in _FULL)]
    thrown = [line for line in lines if _REASON.match(line)]
    errors = [line for line in lines if _TOLD.search(line)]
    return next((found[-1].strip() for found in (full, thrown, errors) if found), "")
