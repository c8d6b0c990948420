"""All checks of a home, in the order they are shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from include import streams
from include.doctor import findings, home, installation, machine, orphans, services
from include.doctor import streams as stream_checks
from include.doctor.findings import Check, Finding
from include.services.canary import TASK_S
from include.settings import Settings

# for all checks together, which take a second on an idle machine: doctor answers within 10 s, whatever hangs
BUDGET_S = 9.0
# the class-data check starts a JVM (0.8 s on an idle machine) and removes its log afterwards: it must not be
# cut short
_LONGER_S = {"class-data cache": 20.0, "canary": TASK_S + 10.0}


def everything(
    settings: Settings,
    now: datetime,
    budget_s: float = BUDGET_S,
    canary: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Finding]:
    """All findings. Read-only; raises nothing.

    `canary`: also has Airflow run one task. `progress`: called with the name of the check that is waited for.
    """
    more: dict[str, Check] = {"canary": partial(services.canary, settings)} if canary else {}
    return findings.run({**checks(settings, now), **more}, budget_s, _LONGER_S, progress)


def checks(settings: Settings, now: datetime) -> dict[str, Check]:
    """The checks by name. Nothing is looked at yet."""
    each = {
        f"stream {name}": partial(stream_checks.examine, settings.layout, stream)
        for name, stream in streams.collect()[0].items()
    }
    return {
        "python": installation.python,
        "environment": partial(installation.environment, settings),
        "java": partial(installation.java_found, settings),
        "versions": installation.versions,
        "jars": partial(installation.kafka_jars, settings),
        "own classes": partial(installation.own_classes, settings),
        "class-data cache": partial(installation.cache, settings),
        "memory": lambda: machine.memory(machine.available_bytes()),
        "disk": partial(machine.disk, settings),
        "clock": partial(machine.clock, settings, now),
        "port": partial(machine.network_ports, settings),
        "home": partial(home.folders, settings),
        "secrets": partial(home.secrets, settings),
        "service": partial(services.running, settings),
        "broker": partial(services.kafka, settings),
        "DAGs": partial(services.dags, settings),
        "registry": partial(services.registry, settings),
        **each,
        "folders": partial(home.strangers, settings),
        "files": partial(home.waiting, settings),
        "staging": partial(home.staging, settings),
        "drivers": partial(orphans.drivers, settings),
        "leases": partial(orphans.leases, settings),
        "housekeeping": partial(orphans.operations, settings),
        "temporary files": partial(orphans.torn, settings, now),
        "failpoint": partial(orphans.failpoint, settings),
    }
