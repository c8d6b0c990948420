"""What Airflow is told, without starting it."""

from __future__ import annotations

import configparser
import os
import sqlite3
import stat
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from include import settings
from include.services import records
from include.services.airflow import keys
from include.services.airflow import server as airflow
from include.services.airflow.rest import Rest
from include.services.ports import Ports
from include.services.records import StartedService
from include.settings import Settings
from jobs.contract.errors import ServiceError

PORTS = Ports(1, 2, 3)


def make(home: Path, **variables: str) -> Settings:
    cache = {"CAUDAL_CACHE": os.environ["CAUDAL_CACHE"]} if "CAUDAL_CACHE" in os.environ else {}
    return settings.load({"PATH": os.environ["PATH"], **cache, "CAUDAL_HOME": str(home), **variables})


def test_settings_survive_a_percent_sign_and_keep_to_loopback(tmp_path: Path) -> None:
    config = make(tmp_path / "50% off")
    text = airflow._render(airflow._sections(config, PORTS, keys.make(config)))
    parser = configparser.ConfigParser()
    parser.read_string(text)
    assert parser["database"]["sql_alchemy_conn"] == f"sqlite:///{tmp_path}/50% off/airflow/airflow.db"
    assert (parser["api"]["host"], parser["api"]["port"], parser["core"]["load_examples"]) == (
        "127.0.0.1",
        "3",
        "False",
    )
    assert parser["core"]["execution_api_server_url"] == "http://127.0.0.1:3/execution/"


def test_tasks_get_the_home_and_its_java_and_none_of_another_airflow(tmp_path: Path) -> None:
    variables = airflow.variables(make(tmp_path, CAUDAL_MASTER="local[7]"))
    assert variables["AIRFLOW_CONN_SPARK_DEFAULT"] == '{"conn_type": "spark", "host": "local[7]"}'
    assert variables["CAUDAL_HOME"] == str(tmp_path)
    assert Path(variables["JAVA_HOME"], "bin/java").exists()
    assert Path(variables["SPARK_HOME"], "jars").is_dir()


def test_a_database_is_copied_whole_and_private(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE t AS SELECT 7 AS n")
        database.commit()
        airflow._copy_database(tmp_path / "a", tmp_path / "new/b")
    with closing(sqlite3.connect(tmp_path / "new/b")) as copy:
        assert copy.execute("SELECT n FROM t").fetchall() == [(7,)]
    assert stat.S_IMODE((tmp_path / "new/b").stat().st_mode) == 0o600
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["b"]


def living(since: float) -> StartedService:
    from include.services import processes

    return StartedService("airflow-scheduler", os.getpid(), processes.started(os.getpid()), since)


def test_a_heartbeat_older_than_the_process_is_not_its_own() -> None:
    health = {"scheduler": {"status": "healthy", "latest_scheduler_heartbeat": "2026-11-23T10:00:10+00:00"}}
    beat = 1795428010.0
    assert airflow._state("airflow-scheduler", living(beat - 5), health, beat) == "healthy"
    assert airflow._state("airflow-scheduler", living(beat + 5), health, beat + 6) == "starting"
    assert airflow._state("airflow-scheduler", living(beat + 5), health, beat + 99) == "not answering"


def test_a_dead_service_is_called_dead() -> None:
    assert (
        airflow._state(
            "airflow-scheduler",
            StartedService("airflow-scheduler", 1, "another-boot:1", time.time()),
            {},
            time.time(),
        )
        == "dead"
    )


def test_the_reason_of_a_failure_is_the_last_line_that_reads_like_one(tmp_path: Path) -> None:
    config = make(tmp_path)
    log = records.log_of(tmp_path, "airflow-api")
    log.parent.mkdir()
    log.write_text("starting\nsqlite3.OperationalError: no such table: dag\nbye\n")
    error = airflow.failure(config, "airflow-api", "it does not start")
    assert (
        str(error)
        == f"service: it does not start: sqlite3.OperationalError: no such table: dag [{log}] -> read {log}"
    )
    log.write_text("sqlite3.OperationalError: database or disk is full\n")
    assert airflow.failure(config, "airflow-api", "it does not start").code == "disk-full"


def test_no_airflow_is_one_line() -> None:
    with pytest.raises(ServiceError, match=r"Airflow does not answer: .*refused"):
        Rest("http://127.0.0.1:1", "admin", "secret").dags()


def test_the_password_does_not_show_in_repr() -> None:
    assert "secret" not in repr(Rest("http://127.0.0.1:1", "admin", "secret"))


class _Stranger(BaseHTTPRequestHandler):
    """Another home's Airflow: healthy, and with another password."""

    def do_POST(self) -> None:
        self.send_response(401)
        self.end_headers()
        self.wfile.write(b'{"detail": "Invalid credentials"}')

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_another_homes_airflow_on_our_port_is_told_as_one() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(ServiceError, match=r"another home's Airflow, or .* -> \./caudal down, then"):
            Rest(f"http://127.0.0.1:{server.server_port}", "admin", "x").dags()
        server.shutdown()


def test_a_user_id_without_a_name_gets_one_for_airflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "LOGNAME" not in airflow.variables(make(tmp_path))
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_123)
    assert airflow.variables(make(tmp_path))["LOGNAME"] == "uid-4000000123"
