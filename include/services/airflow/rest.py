"""Airflow's REST API, as far as Caudal needs it. Every failure is one line: ServiceError (no answer) or
Refused (Airflow rejected the request)."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

import tenacity

from jobs.contract.deadline import attempts
from jobs.contract.errors import Refused, ServiceError

FINAL = ("success", "failed")
_OPEN = urllib.request.build_opener(
    urllib.request.ProxyHandler({})
)  # never through a proxy: it is on this machine
_POLL_S = 0.5


class _DatabaseLocked(ServiceError):
    """Two requests waited for each other's lock until one gave up after 5 s and was undone: one event loop
    serves both. The request can be sent again."""


@dataclass
class Rest:
    """A client of one Airflow. `base`: http://127.0.0.1:PORT. The password is not shown."""

    base: str
    user: str
    password: str = field(repr=False)
    timeout_s: float = 30.0  # Airflow itself waits 5 s for its database
    _token: str = field(default="", repr=False)

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(_DatabaseLocked),
        stop=tenacity.stop_after_delay(60),
        wait=tenacity.wait_random(0.2, 1.0),
        reraise=True,
    )
    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON answer of `method path` (None if it is empty). A token is fetched when it is needed, and
        again when it has expired."""
        try:
            return self._send(method, path, body, self._token or self._login())
        except urllib.error.HTTPError as error:
            if error.code != 401:
                raise _refusal(error, f"{method} {path}") from None
        try:
            return self._send(method, path, body, self._login())
        except urllib.error.HTTPError as error:
            raise _refusal(error, f"{method} {path}") from None

    def _login(self) -> str:
        body = {"username": self.user, "password": self.password}
        try:
            self._token = str(self._send("POST", "/auth/token", body, "")["access_token"])
        except urllib.error.HTTPError as error:
            if error.code != 401:
                raise _refusal(error, "POST /auth/token") from None
            error.close()
            why = "it is another home's Airflow, or the password was changed"
            what = f"the server there rejects this home's password: {why}"
            raise ServiceError(
                what,
                self.base,
                cli="./caudal down, then ./caudal up: it takes a free port and sets the password",
            ) from None
        return self._token

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None, token: str) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, headers=headers, method=method)  # noqa: S310 - http on 127.0.0.1
        try:
            with _OPEN.open(request, timeout=self.timeout_s) as answer:
                text = answer.read()
        except urllib.error.HTTPError:
            raise
        except (OSError, HTTPException) as error:
            raise ServiceError(
                f"Airflow does not answer: {getattr(error, 'reason', error)}", self.base
            ) from None
        return json.loads(text) if text else None

    def health(self) -> dict[str, Any]:
        """{"metadatabase": {"status"}, "scheduler": {"status", "latest_scheduler_heartbeat"}, …}. No
        token."""
        answer: dict[str, Any] = self._send("GET", "/api/v2/monitor/health", None, "")
        return answer

    def tasks_can_start(self) -> bool:
        """True if the API that tasks talk to answers. The first call builds that API, and for 3 to 5 s
        Airflow answers nothing else."""
        answer = self._send("GET", "/execution/health", None, "")
        return bool(answer.get("status") == "healthy")

    def dags(self) -> dict[str, dict[str, Any]]:
        """Every DAG that is listed, by id."""
        return {dag["dag_id"]: dag for dag in self.call("GET", "/api/v2/dags?limit=1000")["dags"]}

    def import_errors(self) -> list[tuple[str, str]]:
        """(file, last line of the trace) of every DAG file that does not load."""
        errors = self.call("GET", "/api/v2/importErrors?limit=100")["import_errors"]
        return [
            (str(row["filename"]), (str(row["stack_trace"]).strip().splitlines() or ["?"])[-1])
            for row in errors
        ]

    def reparse(self, dag_id: str) -> None:
        """Asks Airflow to read the file of `dag_id` again at once, so that a changed registry shows within
        seconds."""
        token = urllib.parse.quote(self.call("GET", f"/api/v2/dags/{_quote(dag_id)}")["file_token"], safe="")
        self.call("PUT", f"/api/v2/parseDagFile/{token}")

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Creates the pool, or sets its number of slots."""
        known = {pool["name"]: pool for pool in self.call("GET", "/api/v2/pools?limit=1000")["pools"]}
        body = {"name": name, "slots": slots, "description": description, "include_deferred": False}
        if name not in known:
            self.call("POST", "/api/v2/pools", body)
        elif known[name]["slots"] != slots:
            self.call("PATCH", f"/api/v2/pools/{_quote(name)}", body)

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Starts a run and returns its id. Raises Refused for an unknown DAG or bad parameters (in the JSON
        schema's own words)."""
        answer = self.call(
            "POST", f"/api/v2/dags/{_quote(dag_id)}/dagRuns", {"logical_date": None, "conf": dict(conf or {})}
        )
        return str(answer["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.call("GET", f"/api/v2/dags/{_quote(dag_id)}/dagRuns/{_quote(run_id)}")
        return answer

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The run's task instances."""
        path = f"/api/v2/dags/{_quote(dag_id)}/dagRuns/{_quote(run_id)}/taskInstances"
        return list(self.call("GET", path)["task_instances"])

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The DAG's newest hundred runs."""
        return list(
            self.call("GET", f"/api/v2/dags/{_quote(dag_id)}/dagRuns?limit=100&order_by=-run_after")[
                "dag_runs"
            ]
        )

    def delete_run(self, dag_id: str, run_id: str) -> None:
        """Removes a run from the history. Raises Refused if it is running, or unknown."""
        self.call("DELETE", f"/api/v2/dags/{_quote(dag_id)}/dagRuns/{_quote(run_id)}")

    def unpause(self, dag_id: str) -> None:
        self.call("PATCH", f"/api/v2/dags/{_quote(dag_id)}", {"is_paused": False})

    def running_tasks(self) -> int:
        """The number of tasks that are running, over all DAGs."""
        return int(
            self.call("GET", "/api/v2/dags/~/dagRuns/~/taskInstances?state=running&limit=1")["total_entries"]
        )

    def log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> list[dict[str, Any]]:
        """The lines of a task's log, each with `event` and, where it has them, `level` and `error_detail`."""
        path = f"{_task(dag_id, run_id, task_id)}/logs/{attempt}?full_content=true"
        return [line for line in self.call("GET", path)["content"] if isinstance(line, dict)]

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        path = f"{_task(dag_id, run_id, task_id)}/xcomEntries/{_quote(key)}"
        return self.call("GET", path)["value"]

    def asset_events(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The asset events that one run made, each with `extra`."""
        query = urllib.parse.urlencode({"source_dag_id": dag_id, "source_run_id": run_id})
        return list(self.call("GET", f"/api/v2/assets/events?{query}")["asset_events"])

    def wait(
        self,
        runs: Mapping[str, str],
        timeout_s: float,
        seen: Callable[[dict[str, str]], None],
    ) -> dict[str, str]:
        """Waits for runs (DAG id -> run id) and returns their final states by DAG id. `seen` is called with
        the states at every poll.

        Raises ServiceError if a run is not final within `timeout_s`.
        """
        for _ in attempts(timeout_s, _POLL_S):
            states = {dag: str(self.run(dag, run)["state"]) for dag, run in runs.items()}
            seen(states)
            late = [f"{dag} ({state})" for dag, state in states.items() if state not in FINAL]
            if not late:
                return states
        raise ServiceError(f"not finished within {timeout_s:.0f} s: {', '.join(late)}", self.base)


def _task(dag_id: str, run_id: str, task_id: str) -> str:
    run = f"/api/v2/dags/{_quote(dag_id)}/dagRuns/{_quote(run_id)}"
    return f"{run}/taskInstances/{_quote(task_id)}"


def _quote(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _refusal(error: urllib.error.HTTPError, where: str) -> ServiceError | Refused:
    """Airflow's own message, in one line."""
    with error:
        text = error.read(4000).decode("utf-8", "replace")
    try:
        detail = json.loads(text)["detail"]
    except (ValueError, KeyError, TypeError):
        detail = text
    what = f"Airflow answered {error.code}: {detail if isinstance(detail, str) else json.dumps(detail)}"[:500]
    if error.code < 500:
        return Refused(what, where)
    return _DatabaseLocked(what, where) if "Database error" in what else ServiceError(what, where)
