"""Airflow as four supervised programs (LocalExecutor, SQLite) that listen on 127.0.0.1 only. All of its files
are in `<home>/airflow`.

Settings and secrets are in one file, `airflow.cfg`, mode 0600, which each `up` writes anew. The log servers
of scheduler and triggerer would listen on every address, so they are switched off (--skip-serve-logs); logs
are read over REST.
"""

from __future__ import annotations

import configparser
import importlib.metadata
import importlib.util
import io
import json
import os
import pwd
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from include import streams
from include.services import files, records
from include.services.airflow import keys
from include.services.airflow.rest import Rest
from include.services.ports import HOST, Ports
from include.services.records import Service, StartedService
from include.settings import Settings
from include.setup import java
from jobs.contract.errors import DiskFull, InstallationError, ServiceError

API = "airflow-api"
_PARTS = {  # service -> (words, the name of its part in /api/v2/monitor/health)
    API: (("api-server",), "metadatabase"),
    "airflow-scheduler": (("scheduler", "--skip-serve-logs"), "scheduler"),
    "airflow-dags": (("dag-processor",), "dag_processor"),
    "airflow-triggerer": (("triggerer", "--skip-serve-logs"), "triggerer"),
}
NAMES = tuple(_PARTS)
POOL = "spark"
PARALLELISM = 4  # tasks at once
_CORES_PER_DRIVER = 2
_MIGRATE_S = 300.0
_START_S = 60.0  # a start takes 10 s on two free cores; after a minute something is wrong
_ANSWER_S = 20.0
# these log each request and each scan of dags/: a page a minute in the services' logs, and nothing in a
# task's
_QUIET = " ".join(
    f"{name}=WARNING"
    for name in (
        "http.access",
        "airflow.dag_processing.manager.DagFileProcessorManager",
        "airflow.dag_processing.bundles.manager.DagBundlesManager",
        "airflow.dag_processing.bundles.base",
        "airflow.serialization.definitions.dag",
        "airflow.models.dag",
        "airflow.api_fastapi.execution_api.routes.task_instances",
    )
)


def home_of(settings: Settings) -> Path:
    return settings.home / "airflow"


def url(ports: Ports) -> str:
    return f"http://{HOST}:{ports.airflow}"


def client(settings: Settings, ports: Ports) -> Rest:
    """A REST client of this home's Airflow. Raises ConfigError before the first `up`."""
    return Rest(url(ports), keys.USER, keys.password(settings))


_PACE: Mapping[str, dict[str, str]] = {
    "scheduler": {
        "catchup_by_default": "False",
        "scheduler_idle_sleep_time": "0.5",
        # a killed task is noticed after 20 s, not after 300 (measured: 20 s after its supervisor's death)
        "task_instance_heartbeat_timeout": "20",
        "task_instance_heartbeat_timeout_detection_interval": "2",
    },
    # new files are found within 5 s (300 by default); known ones are read again on change, or after 30 s
    "dag_processor": {
        "refresh_interval": "5",
        "min_file_process_interval": "30",
        "print_stats_interval": "0",
    },
    # the default is 5 s, and the first call builds the API: 5.6 s on a busy machine
    "workers": {"execution_api_timeout": "30"},
    "usage_data_collection": {"enabled": "False"},
}


def _sections(settings: Settings, ports: Ports, secret: keys.Keys) -> dict[str, dict[str, str]]:
    home, logs = home_of(settings), settings.layout.logs / "airflow"
    return {
        "core": {
            "dags_folder": f"{settings.root / 'dags'}",
            "executor": "LocalExecutor",
            "parallelism": f"{PARALLELISM}",
            "load_examples": "False",
            "dags_are_paused_at_creation": "False",
            "fernet_key": secret.fernet_key,
            # the default asks a name server, and waits if there is none
            "hostname_callable": "socket.gethostname",
            "min_serialized_dag_update_interval": "0",  # a changed DAG is stored as soon as it is parsed
            "execution_api_server_url": f"{url(ports)}/execution/",
            "simple_auth_manager_users": f"{keys.USER}:admin",
            "simple_auth_manager_passwords_file": f"{keys.password_file(settings)}",
        },
        "database": {
            "sql_alchemy_conn": f"sqlite:///{home / 'airflow.db'}",
            "load_default_connections": "False",
        },
        "logging": {
            "base_log_folder": f"{logs}",
            "dag_processor_child_process_log_directory": f"{logs / 'dag_processor'}",
            "colored_console_log": "False",
            "namespace_levels": _QUIET,
        },
        "api": {
            "host": HOST,
            "port": f"{ports.airflow}",
            "workers": "1",
            "base_url": url(ports),
            "instance_name": "Caudal",
            "secret_key": secret.secret_key,
            "expose_config": "False",
        },
        "api_auth": {"jwt_secret": secret.jwt_secret},
        **_PACE,
    }


def _render(sections: Mapping[str, Mapping[str, str]]) -> str:
    parser = configparser.RawConfigParser()
    parser.read_dict(
        {name: {k: v.replace("%", "%%") for k, v in rows.items()} for name, rows in sections.items()}
    )
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def _spark_home() -> Path:
    spec = importlib.util.find_spec("pyspark")
    if spec is None or not spec.submodule_search_locations:
        raise InstallationError("pyspark is not installed in this environment", "pyspark")
    return Path(spec.submodule_search_locations[0])


def _user() -> dict[str, str]:
    """Airflow does not start under a user id without a name, as in containers. Any name in LOGNAME
    will do."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return {"LOGNAME": f"uid-{os.getuid()}"}
    return {}


def variables(settings: Settings) -> dict[str, str]:
    """The variables that Airflow and its tasks get in addition to the caller's own. None of them is
    a secret."""
    own = {
        "AIRFLOW_HOME": home_of(settings),
        "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps({"conn_type": "spark", "host": settings.master}),
        "CAUDAL_HOME": settings.home,
        "CAUDAL_CACHE": settings.cache,
        "CAUDAL_PYTHON": sys.executable,
        "JAVA_HOME": java.find(settings).home,
        "SPARK_HOME": _spark_home(),
        "SPARK_LOCAL_IP": HOST,
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "PYTHONPATH": settings.root,
        "PYTHONWARNINGS": "ignore",  # Airflow's own deprecation warnings: a page at each start
        # setproctitle would overwrite /proc/<pid>/environ, where `down` looks for leftover processes
        "SPT_NOENV": "1",
    }
    if sys.platform == "linux":
        own["LC_ALL"] = "C.UTF-8"  # under LANG=C a JVM cannot open a file whose name holds an ñ
    own |= _user()
    caudal = {name: value for name, value in settings.environ.items() if name.startswith("CAUDAL_")}
    return caudal | {name: str(value) for name, value in own.items()}


def _version() -> str:
    return importlib.metadata.version("apache-airflow")


def _copy_database(source: Path, target: Path, mode: int = 0o600, how: str = "") -> None:
    """Copies an SQLite database, whole or not at all. `how` extends the source's URI: `?immutable=1` for a
    database that nobody changes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}{how}", uri=True)) as old,
            closing(sqlite3.connect(temporary)) as new,
        ):
            old.backup(new)
        temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _from_cache(empty: Path, database: Path) -> bool:
    """Copies the cache's empty database, if there is one. The cache may belong to another user, so nothing in
    it is changed."""
    try:
        _copy_database(empty, database, how="?immutable=1")
    except (OSError, sqlite3.Error):
        return False
    return True


def _keep_in_cache(database: Path, empty: Path) -> None:
    """Stores the database for the next home, if the cache can be written. It holds no secret and no
    data yet."""
    with suppress(OSError, sqlite3.Error):
        _copy_database(database, empty, 0o644)


def _migrate(settings: Settings, environ: Mapping[str, str]) -> None:
    log = records.log_of(settings.home, "airflow-db")
    argv = [sys.executable, "-P", "-m", "airflow", "db", "migrate"]
    with log.open("ab") as stream:
        done = subprocess.run(
            argv,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            timeout=_MIGRATE_S,
            check=False,
            cwd=settings.home,
        )
    if done.returncode:
        raise failure(settings, "airflow-db", "Airflow's database could not be made")


def _database(settings: Settings, environ: Mapping[str, str]) -> None:
    """Brings the database to the form of the installed Airflow. A new one is a copy of the empty one in the
    cache, which saves 5 s for each new home."""
    database, done = home_of(settings) / "airflow.db", home_of(settings) / "migrated"
    if database.exists() and done.exists() and done.read_text(encoding="utf-8") == _version():
        return
    empty = settings.cache / f"airflow-{_version()}.sqlite"
    is_new = not database.exists()
    if not (is_new and empty.exists() and _from_cache(empty, database)):
        _migrate(settings, environ)
        if is_new:
            _keep_in_cache(database, empty)
    files.write(done, _version())


def prepare(settings: Settings, ports: Ports, environ: Mapping[str, str]) -> tuple[Service, ...]:
    """Writes settings and secrets, makes the database if needed, and returns how the four parts are started.

    Raises InstallationError, DiskFull, ServiceError.
    """
    home_of(settings).mkdir(parents=True, exist_ok=True, mode=0o700)
    files.write(
        home_of(settings) / "airflow.cfg", _render(_sections(settings, ports, keys.make(settings))), 0o600
    )
    _database(settings, environ)
    airflow = (sys.executable, "-P", "-m", "airflow")
    return tuple(
        Service(name, (*airflow, *words), (ports.airflow,) if name == API else ())
        for name, (words, _) in _PARTS.items()
    )


def failure(settings: Settings, name: str, what: str) -> DiskFull | ServiceError:
    """An error that says `what`, with the last line of the part's log that reads like a reason."""
    log = records.log_of(settings.home, name)
    lines = [line.strip() for line in files.tail(log) if line.strip()]
    if any("No space left on device" in line or "database or disk is full" in line for line in lines[-200:]):
        return DiskFull("Airflow cannot write: the disk or quota is full", log)
    reasons = [line for line in lines if "Error" in line or "error" in line or "Exception" in line]
    return ServiceError(
        f"{what}: {(reasons or lines or ['it wrote nothing'])[-1][:300]}", log, cli=f"read {log}"
    )


def _is_fresh(part: Mapping[str, Any], key: str, since: float) -> bool:
    """Whether the heartbeat is this process's own. An older one is its predecessor's: after a crash Airflow
    reports that as healthy for 30 s more."""
    beat = part.get(key)
    return bool(beat) and datetime.fromisoformat(str(beat)).timestamp() >= since


def _state(name: str, record: StartedService | None, health: Mapping[str, Any], now_s: float) -> str:
    if record is None:
        return "not started"
    if record.shown != "running":
        return record.shown
    part = _PARTS[name][1]
    reported = health.get(part) or {}
    if reported.get("status") == "healthy" and (
        name == API or _is_fresh(reported, f"latest_{part}_heartbeat", record.since)
    ):
        return "healthy"
    return "starting" if now_s - record.since < _START_S else "not answering"


def _health(ports: Ports) -> dict[str, Any]:
    """What Airflow reports about its parts; empty while it does not answer, or cannot start tasks yet."""
    rest = Rest(url(ports), keys.USER, "", timeout_s=_ANSWER_S)
    try:
        return rest.health() if rest.tasks_can_start() else {}
    except ServiceError:
        return {}


def states(ports: Ports, known: Mapping[str, StartedService]) -> dict[str, str]:
    """The state of each service: healthy, starting, not answering, waiting, gave-up, dead or not started."""
    health = _health(ports) if API in known and known[API].alive else {}
    return {name: _state(name, known.get(name), health, time.time()) for name in NAMES}


def missing_dags(settings: Settings, rest: Rest) -> list[str]:
    """Registered streams whose DAG Airflow has not loaded. Empty if there is no stream factory in dags/."""
    if not (settings.root / "dags" / "streams.py").exists():
        return []
    return sorted(set(streams.collect()[0]) - set(rest.dags()))


def ensure_pool(rest: Rest) -> None:
    """Allows one driver per two cores at a time: more would only wait for each other."""
    slots = max(1, (os.cpu_count() or 1) // _CORES_PER_DRIVER)
    rest.ensure_pool(POOL, slots, "Spark drivers at a time (Caudal)")
