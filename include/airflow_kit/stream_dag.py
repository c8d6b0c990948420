"""Builds a DAG from each row of the registry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG

from include import streams
from include.airflow_kit.operator import LAUNCHER, StreamOperator
from jobs.contract.errors import BrokenStream
from jobs.contract.stream import Stream

POOL = "spark"
START = datetime(2026, 1, 1, tzinfo=UTC)  # fixed and in the past: without catchup it means "from now on"
RETRY_DELAY_S = 30  # a restarted broker is back in less
OWNER = "caudal"
_EVERY_N_MINUTES = re.compile(r"\*/(\d{1,2})( .+)")


def schedules(streams: Mapping[str, Stream]) -> dict[str, str | None]:
    """Cron text by stream name. Streams with the same `*/N …` schedule start a minute apart, in the order of
    their names, so that they do not all wait for the pool at once. Any other text stays as it is."""
    seen: dict[str, int] = {}
    result: dict[str, str | None] = {}
    for name in sorted(streams):
        cron = streams[name].schedule
        result[name] = staggered(cron, seen.get(cron, 0)) if cron else None
        if cron:
            seen[cron] = seen.get(cron, 0) + 1
    return result


def staggered(cron: str, position: int) -> str:
    """`*/5 * * * *` at position 2 -> `2-59/5 * * * *`. Position 0 and other forms of cron text stay as they
    are."""
    match = _EVERY_N_MINUTES.fullmatch(cron)
    if not match or not 1 <= int(match[1]) <= 59:
        return cron
    offset = position % int(match[1])
    return f"{offset}-59/{match[1]}{match[2]}" if offset else cron


def run_limit_s(stream: Stream) -> int:
    """Seconds after which Airflow gives up the whole DAG run: every try at its limit, the pauses between
    tries, and the wait for the lease."""
    tries = stream.retries + 1
    return tries * (stream.limits.run_s + stream.lease_wait_s) + stream.retries * RETRY_DELAY_S


def build(stream: Stream, schedule: str | None, launcher: str = str(LAUNCHER), **operator: Any) -> DAG:
    """The DAG of `stream`, with one task, `run`. `operator`: further arguments of that task."""
    dag = DAG(
        dag_id=stream.name,
        description=stream.doc.partition("\n")[0],
        doc_md=stream.doc,
        schedule=schedule,
        start_date=START,
        catchup=False,  # one run reads all that has waited, so missed runs need not be made up for
        max_active_runs=1,  # a second one would only wait for the lease
        is_paused_upon_creation=False,
        dagrun_timeout=timedelta(seconds=run_limit_s(stream)),
        tags=["stream", *stream.tags],
        default_args={"owner": OWNER},
    )
    StreamOperator(
        dag=dag,
        task_id="run",
        stream=stream,
        spark_binary=launcher,
        pool=POOL,
        retries=stream.retries,
        retry_delay=timedelta(seconds=RETRY_DELAY_S),
        execution_timeout=timedelta(seconds=stream.limits.run_s),
        doc_md=stream.doc,
        **operator,
    )
    return dag


def raise_broken() -> None:
    """Raises BrokenStream, with a line for each row that does not load. Does nothing when all load."""
    _, broken = streams.collect()
    if broken:
        raise BrokenStream(
            "; ".join(f"{error.where}: {error.what}" for error in broken),
            f"{len(broken)} of the registry's files",
        )
