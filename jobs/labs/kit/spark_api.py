"""Spark's REST interface of a running application: the numbers behind its pages. It answers while Spark's UI
is on."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from jobs.contract.deadline import attempts
from jobs.contract.errors import ServiceError

_ANSWER_S = 10.0  # for an answer of this driver's own UI, which takes milliseconds on an idle machine
_SETTLE_S = 5.0  # the pages are a moment behind the events of the scheduler
_OPEN = build_opener(ProxyHandler({})).open  # without a proxy: the UI is on this machine
_BATCH = re.compile(r"^batch = (\d+)$", re.M)


@dataclass(frozen=True)
class Stage:
    """`status`: COMPLETE, SKIPPED…; `name`: the call that it comes from."""

    number: int
    status: str
    tasks: int
    name: str


@dataclass(frozen=True)
class Job:
    """`batch`: the batch that it belongs to, -1 for none."""

    number: int
    batch: int
    stages: tuple[Stage, ...]


def jobs(ui: str, application: str, run_id: str) -> list[Job]:
    """The finished jobs of one run of a streaming query, oldest first. `ui`: the address of Spark's UI.

    Spark describes each job of a batch by the query's name, id, run id and batch. Raises ServiceError.
    """
    base = f"{ui}/api/v1/applications/{application}"
    stages = {
        s["stageId"]: Stage(s["stageId"], s["status"], s["numTasks"], s["name"])
        for s in _settled(f"{base}/stages")
    }
    ours = [j for j in _settled(f"{base}/jobs") if j.get("jobGroup") == run_id]
    return sorted((_job(j, stages) for j in ours), key=lambda job: job.number)


def plan_counts(ui: str, application: str, run_id: str) -> dict[str, int]:
    """`operator: what it counted` -> sum over the executed plans of one run of a query, in the plan's order.

    Only whole numbers: no times or sizes. Raises ServiceError.
    """
    query = "sql?details=true&planDescription=false&length=1000"
    executions = _settled(f"{ui}/api/v1/applications/{application}/{query}")
    totals: dict[str, int] = {}
    for execution in (e for e in executions if f"runId = {run_id}" in e["description"]):
        for node in sorted(execution["nodes"], key=lambda node: node["nodeId"]):
            for metric in node["metrics"]:
                if re.fullmatch(r"[0-9,]+", metric["value"]):
                    name = f"{node['nodeName'].strip()}: {metric['name']}"
                    totals[name] = totals.get(name, 0) + int(metric["value"].replace(",", ""))
    return totals


def _job(raw: dict[str, Any], stages: dict[int, Stage]) -> Job:
    batch = _BATCH.search(raw.get("description", ""))
    ids = sorted(raw["stageIds"])
    return Job(raw["jobId"], int(batch[1]) if batch else -1, tuple(stages[i] for i in ids if i in stages))


def _settled(address: str) -> list[dict[str, Any]]:
    """The list at `address` once nothing in it runs, or after `_SETTLE_S`."""
    for _ in attempts(_SETTLE_S, 0.1):
        entries = _get(address)
        if not any(entry["status"] in ("RUNNING", "ACTIVE", "PENDING") for entry in entries):
            break
    return entries


def _get(address: str) -> list[dict[str, Any]]:
    try:
        with _OPEN(address, timeout=_ANSWER_S) as answer:
            return list(json.load(answer))
    except (URLError, OSError, ValueError) as error:
        raise ServiceError(
            f"la interfaz de Spark no contesta ({error})", address, cli="otra vez el laboratorio"
        ) from None
