"""One row per stream of a home: schedule, newest run report, and the state of its DAG in Airflow.
Read-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from include import streams
from include.services import ports
from include.services.airflow import server
from include.settings import Settings
from include.state import lease
from jobs.contract.errors import CaudalError
from jobs.contract.run import report
from jobs.contract.run.report import Report
from jobs.contract.stream import Published, Source, Stream, Topic


@dataclass(frozen=True)
class StreamRow:
    """`last`, `started` and the counts come from the newest report. `last` is its status; 'died' if it says
    running and nobody holds the lease; or 'never run', 'unreadable report'. `with_data` is the newest run
    that read something.

    `dag`: active, paused, broken, or unknown while Airflow is down.
    """

    name: str
    source: str
    sink: str
    schedule: str
    guarantee: str
    last: str
    started: str
    records_in: int
    rows_out: int
    quarantined: int
    error: str
    dag: str
    with_data: Report | None = None


def _end(end: Source, folder: str) -> str:
    if isinstance(end, Published):
        return f"salida/{end.stream}"
    return f"topic {end.name}" if isinstance(end, Topic) else folder


def _newest(settings: Settings, stream: Stream) -> Report | CaudalError | None:
    for path in report.newest(settings.layout.runs(stream.name)):
        try:
            return report.read(path)
        except CaudalError as error:
            return error
    return None


def _row(settings: Settings, stream: Stream, dag: str) -> StreamRow:
    ends = _end(stream.source, f"entrada/{stream.folder}"), _end(stream.sink, f"salida/{stream.name}")
    fixed = (stream.name, *ends, stream.schedule or "by hand", stream.guarantee)
    found, with_data = _newest(settings, stream), report.newest_with_data(settings.layout.runs(stream.name))
    if not isinstance(found, Report):
        return StreamRow(
            *fixed,
            "unreadable report" if found else "never run",
            "",
            0,
            0,
            0,
            str(found or ""),
            dag,
            with_data,
        )
    error = str((found.error or {}).get("what", ""))
    status = (
        "died"
        if found.status == "running" and lease.holder(settings.layout, stream.name) is None
        else found.status
    )
    return StreamRow(
        *fixed,
        status,
        found.started,
        found.records_in,
        found.rows_out,
        found.quarantined,
        error,
        dag,
        with_data,
    )


def _dag_state(dags: Mapping[str, Mapping[str, Any]] | None, name: str) -> str:
    if dags is None:
        return "unknown"
    if name not in dags:
        return "broken"
    return "paused" if dags[name]["is_paused"] else "active"


def _dags(settings: Settings) -> dict[str, dict[str, Any]] | None:
    """None while Airflow does not answer."""
    chosen = ports.remembered(settings)
    try:
        return server.client(settings, chosen).dags() if chosen else None
    except CaudalError:
        return None


def of_streams(settings: Settings, airflow_is_up: bool) -> tuple[list[StreamRow], list[str]]:
    """(one row per stream, one sentence per registry file that does not load)."""
    found, broken = streams.collect()
    dags = _dags(settings) if airflow_is_up else None
    return [_row(settings, stream, _dag_state(dags, name)) for name, stream in found.items()], [
        str(error) for error in broken
    ]
