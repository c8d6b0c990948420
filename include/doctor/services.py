"""Broker, topics, Airflow, registry. What is not started is a note, never a fault."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from include import streams
from include.doctor.findings import Finding, note, ok, wrong
from include.kafka import topics
from include.services import broker, ports, records, stack
from include.services import canary as canaries
from include.services.airflow import server
from include.services.stack import Row
from include.settings import Settings
from jobs.contract.errors import CaudalError

UP = "./caudal up"
_BROKEN = ("dead", "gave-up", "waiting")
_TRACE_S = 3.0  # Airflow answers in 0.05 s


def running(settings: Settings) -> Iterator[Finding]:
    """Each service of this home: healthy, not started, or why not."""
    yield from judge_rows(stack.rows(settings))


def judge_rows(rows: Sequence[Row]) -> Iterator[Finding]:
    stopped = [row.name for row in rows if row.state in ("stopped", "not started")]
    for row in rows:
        if row.state == "healthy":
            deaths = f", started again {row.deaths} times" if row.deaths else ""
            yield ok("service", f"{row.name} is healthy{f' at {row.url}' if row.url else ''}{deaths}")
        elif row.state in _BROKEN:
            yield wrong(
                "service",
                f"{row.name} is {row.state}{f' after {row.deaths} deaths' if row.deaths else ''} [{row.log}]",
                f"read that log, then {UP}",
            )
        elif row.state == "starting":
            yield note(
                "service",
                f"{row.name} is starting, or does not answer [{row.log}]",
                f"{UP} waits until it is healthy",
            )
    if len(stopped) == len([row for row in rows if row.state != "external"]):
        yield note("service", f"not running: {', '.join(stopped)}", UP)
    else:
        yield from (wrong("service", f"{name} is not running, while others are", UP) for name in stopped)


def kafka(settings: Settings) -> Iterator[Finding]:
    """Whether the broker answers and holds the registry's topics as declared. An embedded one that is not started is a note."""
    if settings.embedded_kafka and not _alive(settings, broker.NAME):
        yield note("broker", "not running", UP)
        return
    try:
        found = topics.plan(settings, streams.collect()[0].values())
    except CaudalError as error:
        yield wrong("broker", f"{error.what} [{error.where}]", error.way_cli)
        return
    yield ok("broker", f"answers at {found.connection.bootstrap}")
    if found.to_create:
        yield wrong(
            "topics",
            f"declared, but not on the broker: {', '.join(t.name for t in found.to_create)}",
            "./caudal topics create",
        )
    for difference in found.differences:
        yield wrong(
            "topics",
            str(difference),
            "change the topic on the broker (partitions can only grow), or the row in include/streams/",
        )
    if found.as_declared and not found.to_create:
        yield ok("topics", f"as declared: {', '.join(found.as_declared)}")


def dags(settings: Settings) -> Iterator[Finding]:
    """DAG files that do not load, streams without a DAG, paused ones. Nothing while Airflow is not running."""
    chosen = ports.remembered(settings)
    if chosen is None or not _alive(settings, server.API):
        return
    rest = server.client(settings, chosen)
    rest.timeout_s = _TRACE_S
    errors, missing = rest.import_errors(), server.missing_dags(settings, rest)
    listed = rest.dags()
    for file, line in errors:
        yield wrong("DAGs", f"{Path(file).name} does not load: {line[:300]}", f"mend {file}")
    if missing:
        yield wrong(
            "DAGs",
            f"Airflow lists none for {', '.join(missing)}",
            f"wait half a minute; then read {records.log_of(settings.home, 'airflow-dags')}",
        )
    paused = sorted(name for name, dag in listed.items() if dag["is_paused"])
    if paused:
        yield note(
            "DAGs",
            f"paused, so their schedule does nothing: {', '.join(paused)}",
            "switch them on in the UI when that is not meant",
        )
    if not errors and not missing:
        yield ok("DAGs", f"{len(listed)} loaded without an error")


def canary(settings: Settings) -> Iterator[Finding]:
    """Has Airflow do one small task. A note while it is not running."""
    chosen = ports.remembered(settings)
    if chosen is None or not _alive(settings, server.API):
        yield note("canary", "Airflow is not running, so no task could be tried", UP)
    else:
        yield ok("canary", str(canaries.run(settings, server.client(settings, chosen))))


def _alive(settings: Settings, name: str) -> bool:
    record = records.read_records(settings.home).get(name)
    return record is not None and record.alive


def registry(settings: Settings) -> Iterator[Finding]:
    """Rows that load, each with its job and its domain function; topics that two rows declare alike."""
    found, broken = streams.collect()
    for error in broken:
        yield wrong(
            "registry",
            f"{error.where} does not load: {error.what}",
            f"mend {error.where}; the other streams go on without it",
        )
    topics.declared(found.values())
    lost = [path for name in found if (path := lost_part(settings.root, name))]
    for path in lost:
        yield wrong(
            "registry",
            f"the stream's job cannot start without it [{path}]",
            "git checkout it, or remove the stream's row",
        )
    if not broken and not lost:
        yield ok("registry", f"{len(found)} streams: {', '.join(found)}")


def lost_part(root: Path, stream: str) -> Path | None:
    """The job of `stream`, or the domain file that it binds, when it is not there."""
    job = root / "jobs" / f"{stream}.py"
    if not job.is_file():
        return job
    bound = re.findall(r"^from jobs\.domain import (\w+)", job.read_text(encoding="utf-8"), re.M)
    places = (root / "jobs" / "domain" / f"{name}.py" for name in bound)
    return next((path for path in places if not path.is_file()), None)
