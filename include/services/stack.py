"""All services of a home together: start, stop, and their states."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from include import environment, streams
from include.kafka import topics
from include.services import broker, canary, home, ports, processes, records, supervisor
from include.services.airflow import proxies, server
from include.services.canary import Proof
from include.services.ports import HOST, Ports
from include.services.records import Plan, Service, StartedService
from include.settings import Settings
from include.setup import jvm
from jobs.contract.errors import CaudalError, ConfigError, DiskFull, ServiceError

_POLL_S = 0.2
_START_S = 60.0
_ROOM_BYTES = 200 * 1024 * 1024  # with less, broker and Airflow run into a full disk in the middle of a write
UP_S = 180.0  # a cold start takes 15 s on two free cores; the rest is for a loaded machine


@dataclass(frozen=True)
class Row:
    """One service for `status`. `state`: healthy, starting, not answering, waiting, gave-up, dead, not
    started, stopped or external."""

    name: str
    state: str
    pid: int
    ports: tuple[int, ...]
    url: str
    deaths: int
    log: str


@dataclass
class Up:
    """What `up` did. `notes`: ports that moved, topics that were made, DAG files that do not load. `proof`:
    the task that ran."""

    ports: Ports
    started: bool
    rows: list[Row]
    proof: Proof
    notes: list[str] = field(default_factory=list)


def _names(settings: Settings) -> list[str]:
    return [*([broker.NAME] if settings.embedded_kafka else []), *server.NAMES]


def _check_room(settings: Settings) -> None:
    free = shutil.disk_usage(settings.home).free
    if free < _ROOM_BYTES:
        raise DiskFull(
            f"{free // 2**20} MiB are free, and a start needs {_ROOM_BYTES // 2**20}", settings.home
        )


def _environ(settings: Settings) -> dict[str, str]:
    """The caller's variables that the services get. No proxy is in the plan, which is a file: a proxy's value
    may hold a password."""
    kept = {
        name: value for name, value in environment.of_services(settings).items() if not proxies.is_one(name)
    }
    return kept | proxies.proxies(settings.environ)


def _prepare(settings: Settings, chosen: Ports) -> Plan:
    """Writes everything that must be on disk before the services start; broker and Airflow are prepared in
    parallel."""
    env = server.variables(settings)
    jvm.driver_class_path(
        settings
    )  # before the 5 s of making the database: without the jars neither the broker nor a run could start
    with ThreadPoolExecutor(max_workers=2) as both:
        parts = both.submit(server.prepare, settings, chosen, {**_environ(settings), **env})
        kafka: tuple[Service, ...] = (broker.prepare(settings, chosen),) if settings.embedded_kafka else ()
        return Plan((*kafka, *parts.result()), env)


def _own_ports(known: Mapping[str, StartedService]) -> set[int]:
    return {port for record in known.values() if record.alive for port in record.ports}


def _start(settings: Settings) -> tuple[Ports, list[str]]:
    """Chooses ports, prepares, and starts the supervisor. Services that a dead supervisor left are adopted if
    nothing has changed."""
    known = records.read_records(settings.home)
    choice = ports.choose(settings, _own_ports(known))
    try:
        ports.remember(settings, choice.ports)
        before = records.read_plan(settings.home)
        plan = _prepare(settings, choice.ports)
        if before != plan and any(record.alive for record in known.values()):
            supervisor.stop(settings.home)
        supervisor.launch(settings.home, plan, _environ(settings), choice.locks)
    finally:
        choice.release()
    return choice.ports, choice.moved


def _refuse_other_settings(settings: Settings, running: Ports) -> None:
    """Refuses settings other than those that the running home was started with: they need a restart."""
    asked = (
        (settings.kafka_port, running.kafka),
        (settings.controller_port, running.controller),
        (settings.airflow_port, running.airflow),
    )
    wanted = {port.variable: (port, number) for port, number in asked}
    other = [
        name
        for name, (port, number) in wanted.items()
        if port.configured and number and port.number != number
    ]
    plan = records.read_plan(settings.home)
    now = server.variables(settings)
    other += sorted(
        name
        for name in {*now, *plan.env}
        if name.startswith("CAUDAL_") and now.get(name) != plan.env.get(name) and name not in wanted
    )
    if other:
        raise ConfigError(
            f"this home runs with another {', '.join(other)}",
            settings.home,
            cli="./caudal down, then ./caudal up",
        )


def _heal(settings: Settings, boss: StartedService) -> Ports:
    running = ports.remembered(settings)
    if running is None:
        raise ConfigError(
            "state/ports.json is gone while the services run",
            settings.home,
            cli="./caudal down, then ./caudal up",
        )
    _refuse_other_settings(settings, running)
    if any(record.state == "gave-up" for record in records.read_records(settings.home).values()):
        supervisor.nudge(boss)
    return running


def _broker_state(settings: Settings, chosen: Ports) -> dict[str, str]:
    """{"broker": state}; empty if the broker is the user's own."""
    if not settings.embedded_kafka:
        return {}
    record = records.read_records(settings.home).get(broker.NAME)
    if record is None or record.shown != "running":
        return {broker.NAME: record.shown if record else "not started"}
    return {
        broker.NAME: "healthy"
        if broker.answers(chosen.kafka)
        else "starting"
        if time.time() - record.since < _START_S
        else "not answering"
    }


def _states(settings: Settings, chosen: Ports) -> dict[str, str]:
    return _broker_state(settings, chosen) | server.states(chosen, records.read_records(settings.home))


def _raise_if_given_up(settings: Settings, states: Mapping[str, str]) -> None:
    for name, state in states.items():
        if state == "gave-up":
            what = f"{name} does not start ({supervisor.FAST_DEATHS} tries)"
            raise (
                broker.failure(settings, what)
                if name == broker.NAME
                else server.failure(settings, name, what)
            )


def _wait(
    settings: Settings,
    chosen: Ports,
    said: Callable[[str], None],
    notes: list[str],
    deadline: float,
    since: float,
) -> bool:
    """True when all services are healthy; False if the supervisor has died meanwhile, since then nothing
    restarts them."""
    topics_due = settings.embedded_kafka
    while True:
        first = _broker_state(settings, chosen)
        if topics_due and first[broker.NAME] == "healthy":  # before Airflow's first scheduled run needs them
            topics_due = False
            notes += _make_topics(settings)
        states = first | server.states(chosen, records.read_records(settings.home))
        waiting = [name for name, state in states.items() if state != "healthy"]
        if records.supervisor(settings.home) is None:
            return False
        if not waiting:
            return True
        if time.time() - since > 2.0:  # by then the supervisor has replaced an old `gave-up`
            _raise_if_given_up(settings, states)
        if time.monotonic() > deadline:
            raise _late(settings, waiting)
        said(f"waiting for {', '.join(waiting)}")
        time.sleep(_POLL_S)


def _make_topics(settings: Settings) -> list[str]:
    """Makes the registry's missing topics on the embedded broker, and returns a note about them. A user's own
    broker is left alone."""
    created = topics.ensure(settings, streams.collect()[0].values())
    return [f"topics made: {', '.join(created)}"] if created else []


def _late(settings: Settings, waiting: list[str]) -> CaudalError:
    log = records.log_of(settings.home, waiting[0])
    return ServiceError(
        f"not healthy in time: {', '.join(waiting)}", log, cli=f"read {log}; ./caudal up continues to wait"
    )


def _wait_for_dags(
    settings: Settings, chosen: Ports, said: Callable[[str], None], deadline: float
) -> list[str]:
    """Waits until every registered stream has its DAG. Returns one sentence per DAG file that does
    not load."""
    rest = server.client(settings, chosen)
    server.ensure_pool(rest)
    while (missing := server.missing_dags(settings, rest)) and not rest.import_errors():
        if time.monotonic() > deadline:
            raise ServiceError(
                f"Airflow lists no DAG for {', '.join(missing)}",
                records.log_of(settings.home, "airflow-dags"),
            )
        said(f"waiting for the DAGs {', '.join(missing)}")
        time.sleep(_POLL_S)
    return [f"DAG file {name} does not load: {reason}" for name, reason in rest.import_errors()]


def up(settings: Settings, said: Callable[[str], None] = lambda _: None, timeout_s: float = UP_S) -> Up:
    """Starts what is not running. Returns when all services are healthy, the embedded broker has its topics,
    Airflow has run a task, and the DAGs are listed.

    Safe to call again (4 s). `said` is called with what is being waited for. Raises PortTaken, ConfigError,
    InstallationError, DiskFull, ServiceError, NoTaskRuns, Refused.
    """
    home.make(settings.layout)
    (settings.tmp / "services").mkdir(parents=True, exist_ok=True)
    for stream in streams.collect()[0].values():
        if stream.folder:
            settings.layout.entrada(stream.folder).mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    said("ports, configuration, Airflow's database")
    with records.changing(settings.home):
        started, chosen, notes = _ensure(settings)
        while not _wait(settings, chosen, said, notes, deadline, time.time()):
            started, chosen, notes = _ensure(settings)
        proof = canary.run(settings, server.client(settings, chosen), said)
        notes += _wait_for_dags(settings, chosen, said, deadline)
    return Up(chosen, started, rows(settings), proof, notes)


def _ensure(settings: Settings) -> tuple[bool, Ports, list[str]]:
    """Makes sure that a supervisor lives: (whether it was started now, ports, notes)."""
    boss = records.supervisor(settings.home)
    if boss:
        return False, _heal(settings, boss), []
    _check_room(settings)
    chosen, moved = _start(settings)
    return True, chosen, [*moved, *_left_out(settings)]


def _left_out(settings: Settings) -> list[str]:
    """A sentence about proxy variables that the services do not get; none if all of them work."""
    names = proxies.refused(settings.environ)
    return (
        [f"{', '.join(names)}: left out, because Airflow's tasks cannot use it as a proxy"] if names else []
    )


def down(settings: Settings) -> list[str]:
    """Stops everything of this home, including what a crash left. Returns the names of what was running; that
    may be none."""
    if not records.folder(settings.home).is_dir():
        return []
    with records.changing(settings.home):
        return supervisor.stop(settings.home)


def _row(settings: Settings, name: str, state: str, record: StartedService | None, chosen: Ports) -> Row:
    addresses = {broker.NAME: f"{HOST}:{chosen.kafka}", server.API: server.url(chosen)}
    living = record is not None and record.alive
    pid, numbers, deaths = (
        (record.pid, record.ports, record.deaths)
        if record and living
        else (0, (), record.deaths if record else 0)
    )
    return Row(
        name,
        state,
        pid,
        numbers,
        addresses.get(name, "") if living else "",
        deaths,
        str(records.log_of(settings.home, name)),
    )


def rows(settings: Settings) -> list[Row]:
    """The state of every service. A user's own broker is shown as `external`."""
    chosen = ports.remembered(settings) or Ports(0, 0, 0)
    known = records.read_records(settings.home)
    states = _states(settings, chosen) if known else dict.fromkeys(_names(settings), "stopped")
    services = [_row(settings, name, state, known.get(name), chosen) for name, state in states.items()]
    if not settings.embedded_kafka:
        services.insert(0, Row(broker.NAME, "external", 0, (), settings.kafka_bootstrap, 0, ""))
    boss = known.get(records.SUPERVISOR)
    state = "healthy" if boss and boss.alive else ("dead" if boss else "stopped")
    return [*services, _row(settings, records.SUPERVISOR, state, boss, chosen)]


def left_overs(settings: Settings) -> set[int]:
    """Living processes of this home's services, found by session and by mark; empty after `down`."""
    leaders = [record.identity for record in records.read_records(settings.home).values()]
    return processes.members(leaders) | processes.marked(settings.home)
