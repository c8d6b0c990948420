"""Fixtures that several parts of the tests share, and the order in which files run."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from include import environment
from include import settings as caudal
from include.settings import Settings
from include.setup import class_data, java
from include.torture.brokers import in_a_home

SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.memory": "1g",
}


LONG_S = 10.0  # `./caudal test` lists the files that take longer
# These files take longest, the longest first. A file runs in one process: if a long one starts late, the
# other process has nothing to do while it ends.
LONG = (
    "integration/test_airflow",
    "integration/test_kafka_faults",
    "jobs/core/test_transactions",
    "integration/test_labs",
    "torture/test_matrix",
    "torture/test_faults",
    "jobs/core/test_downstream",
    "labs/test_notebooks",
    "jobs/contract/test_protocol_model",
    "integration/test_front_door",
    "jobs/labs/test_camino",
    "integration/test_kafka_generations",
    "torture/test_notifications",
    "include/housekeeping/test_rewind",
    "integration/test_early_death",
    "include/housekeeping/test_quarantine",
    "integration/test_launch",
    "include/cli/test_feed_and_look",
    "include/kafka/test_away",
    "include/kafka/test_secure_broker",
    "include/housekeeping/test_engine_crash",
    "jobs/labs/test_trampas",
    "include/housekeeping/test_cut_off",
    "integration/test_home_before",
    "integration/test_temperaturas",
    "include/setup/test_shared_cache",
    "include/housekeeping/test_undo",
    "integration/test_new_stream",
    "include/services/test_supervisor",
    "torture/test_table",
    "jobs/labs/test_caso2",
    "torture/test_power",
    "integration/test_kafka_streams",
    "jobs/labs/test_estado",
    "jobs/core/test_csv",
    "jobs/core/test_csv_form",
    "integration/test_services",
    "include/cli/test_progress",
    "include/housekeeping/test_reset",
    "include/housekeeping/test_purge",
    "jobs/core/test_publish",
    "integration/test_bizums_por_dia",
    "dags/test_streams",
    "integration/test_kafka_account",
    "jobs/core/test_strict",
    "jobs/labs/test_sink_mongodb",
    "jobs/labs/test_bizums",
    "jobs/labs/test_fuentes_kafka",
    "jobs/labs/test_actividad3",
    "labs/test_notebook_server",
    "include/housekeeping/test_rollover",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Puts long files first, so that two processes end together. Other files follow in their own order."""
    rank = {config.rootpath / "tests" / f"{name}.py": at for at, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path, len(LONG)))


def slowest(reports: Iterable[pytest.TestReport], least_s: float) -> list[tuple[float, str]]:
    """(seconds, file) of files that took at least `least_s`, set-up included; the longest first."""
    seconds: Counter[str] = Counter()
    for report in reports:
        seconds[report.nodeid.partition("::")[0]] += report.duration  # type: ignore[assignment]
    return [(spent, file) for file, spent in seconds.most_common() if spent >= least_s]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Lists the files that decide how long all tests take. LONG should have them in this order."""
    found = slowest(
        (r for group in terminalreporter.stats.values() for r in group if isinstance(r, pytest.TestReport)),
        LONG_S,
    )
    if found:
        terminalreporter.section(f"files over {LONG_S:.0f} s")
        for spent, file in found:
            terminalreporter.line(f"{spent:6.1f} s  {file}")


def _prepare_environment() -> None:
    """Sets what PySpark reads when it starts the JVM and the workers."""
    spec = find_spec("pyspark")
    assert spec is not None and spec.origin is not None
    os.environ["SPARK_HOME"] = str(Path(spec.origin).parent)
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"


def _clean_environment() -> None:
    """Gives the tests the environment that a driver gets, whatever the shell carries that started pytest."""
    kept = {
        name: os.environ[name] for name in ("PYTHONPATH", "JAVA_HOME", "HOME", "TMPDIR") if name in os.environ
    }
    clean = environment.base(caudal.load(), environment.TESTS) | kept
    os.environ.clear()
    os.environ.update(clean)


_clean_environment()


def _quiet_py4j() -> None:
    """Silences py4j: it logs when it collects a Java object whose connection has ended, into the output of
    any test."""
    logging.getLogger("py4j").setLevel(logging.ERROR)
    logging.getLogger().addFilter(lambda record: record.module != "java_gateway")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Spark session per pytest process: local[2], no UI, loopback only."""
    _prepare_environment()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyspark.sql import SparkSession

        from jobs.core.session import UNTRACED

        warehouse = tmp_path_factory.mktemp("spark-warehouse")
        builder = (
            SparkSession.builder.master("local[2]")
            .appName("caudal-tests")
            .config("spark.sql.warehouse.dir", str(warehouse))
        )
        settings = caudal.load()
        # if the jars are missing, this fails with one line that names ./caudal setup
        ours = class_data.short_driver(settings, java.find(settings))
        for key, value in (SETTINGS | UNTRACED | ours).items():
            builder = builder.config(key, value)
        session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    # each use of a column asks for these, and each time py4j would look for them in 280 jars
    for name in ("functions", "PythonUtils"):
        setattr(session._jvm, name, getattr(session._jvm, name))
    _quiet_py4j()
    yield session
    session.stop()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a home with a running broker: one per pytest process. A test must not rely on which topics
    exist."""
    with in_a_home(tmp_path_factory.mktemp("broker")) as settings:
        yield settings
