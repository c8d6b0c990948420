"""Checks broker, topics, Airflow and registry. A service that is not started is a note, never a fault."""

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
_TRACE_S = 3.0  # Airflow answers in 0.05 s; one that hangs must not use up the whole budget


def running(settings: Settings) -> Iterator[Finding]:
    """Each service of this home: healthy, not started, or why not healthy."""
    yield from judge_rows(stack.rows(settings))


def judge_rows(rows: Sequence[Row]) -> Iterator[Finding]:
    stopped = [row.name for row in rows if row.state in ("stopped", "not started")]
    for row in rows:
        if row.state == "healthy":
            deaths = f", started again {row.deaths} times" if row.deaths else ""
            yield ok("service", f"{row.name} is healthy{f' at {row.url}' if row.url else ''}{deaths}")
        elif row.state in _BROKEN:
            deaths = f" after {row.deaths} deaths" if row.deaths else ""
            what = f"{row.name} is {row.state}{deaths} [{row.log}]"
            yield wrong("service", what, f"read that log, then {UP}")
        elif row.state == "starting":
            what = f"{row.name} is starting, or does not answer [{row.log}]"
            yield note("service", what, f"{UP} waits until it is healthy")
    if len(stopped) == len([row for row in rows if row.state != "external"]):
        yield note("service", f"not running: {', '.join(stopped)}", UP)
    else:
        yield from (wrong("service", f"{name} is not running, while others are", UP) for name in stopped)


def kafka(settings: Settings) -> Iterator[Finding]:
    """Whether the broker answers and has the registry's topics as declared. An embedded broker that is not
    started is a note."""
    if settings.embedded_kafka and not _alive(settings, broker.NAME):
        yield note("broker", "not running", UP)
        return
    try:
        plan = topics.plan(settings, streams.collect()[0].values())
    except CaudalError as error:
        yield wrong("broker", f"{error.what} [{error.where}]", error.way_cli)
        return
    yield ok("broker", f"answers at {plan.connection.bootstrap}")
    if plan.to_create:
        missing = ", ".join(topic.name for topic in plan.to_create)
        yield wrong("topics", f"declared, but not on the broker: {missing}", "./caudal topics create")
    for difference in plan.differences:
        fix = "change the topic on the broker (partitions can only grow), or the row in include/streams/"
        yield wrong("topics", str(difference), fix)
    if plan.as_declared and not plan.to_create:
        yield ok("topics", f"as declared: {', '.join(plan.as_declared)}")


def dags(settings: Settings) -> Iterator[Finding]:
    """DAG files that do not load, streams without a DAG, paused DAGs. Nothing while Airflow is not
    running."""
    chosen = ports.remembered(settings)
    if chosen is None or not _alive(settings, server.API):
        return
    rest = server.client(settings, chosen)
    rest.timeout_s = _TRACE_S
    errors, missing = rest.import_errors(), server.missing_dags(settings, rest)
    listed = rest.dags()
    for file, line in errors:
        yield wrong("DAGs", f"{Path(file).name} does not load: {line[:300]}", f"correct {file}")
    if missing:
        fix = f"wait half a minute; then read {records.log_of(settings.home, 'airflow-dags')}"
        yield wrong("DAGs", f"Airflow lists none for {', '.join(missing)}", fix)
    paused = sorted(name for name, dag in listed.items() if dag["is_paused"])
    if paused:
        what = f"paused, so their schedule does nothing: {', '.join(paused)}"
        yield note("DAGs", what, "switch them on in the UI if you did not mean that")
    if not errors and not missing:
        yield ok("DAGs", f"{len(listed)} loaded without an error")


def canary(settings: Settings) -> Iterator[Finding]:
    """Has Airflow run one small task. A note while Airflow is not running."""
    chosen = ports.remembered(settings)
    if chosen is None or not _alive(settings, server.API):
        yield note("canary", "Airflow is not running, so no task could be tried", UP)
    else:
        yield ok("canary", str(canaries.run(settings, server.client(settings, chosen))))


def _alive(settings: Settings, name: str) -> bool:
    record = records.read_records(settings.home).get(name)
    return record is not None and record.alive


def registry(settings: Settings) -> Iterator[Finding]:
    """Whether each row loads, has its job and its domain function, and agrees with other rows about their
    topics."""
    found, broken = streams.collect()
    for error in broken:
        fix = f"correct {error.where}; the other streams go on without it"
        yield wrong("registry", f"{error.where} does not load: {error.what}", fix)
    topics.declared(found.values())
    lost = [path for name in found if (path := lost_part(settings.root, name))]
    for path in lost:
        what = f"missing, and the stream's job cannot start without it [{path}]"
        yield wrong("registry", what, "git checkout it, or remove the stream's row")
    if not broken and not lost:
        yield ok("registry", f"{len(found)} streams: {', '.join(found)}")


def lost_part(root: Path, stream: str) -> Path | None:
    """The job of `stream`, or the domain module that it imports, if that file does not exist."""
    job = root / "jobs" / f"{stream}.py"
    if not job.is_file():
        return job
    bound = re.findall(r"^from jobs\.domain import (\w+)", job.read_text(encoding="utf-8"), re.M)
    places = (root / "jobs" / "domain" / f"{name}.py" for name in bound)
    return next((path for path in places if not path.is_file()), None)
