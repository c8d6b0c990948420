"""Fixtures that more than one part of the tests shares."""

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


# the files that take longest, from five minutes down to ten seconds, as the end of `./caudal test` lists them
LONG_S = 10.0
LONG = (
    "integration/test_airflow",
    "torture/test_matrix",
    "integration/test_kafka_faults",
    "jobs/core/test_transactions",
    "torture/test_notifications",
    "integration/test_labs",
    "torture/test_faults",
    "include/housekeeping/test_rewind",
    "jobs/core/test_downstream",
    "labs/test_notebooks",
    "integration/test_kafka_generations",
    "jobs/contract/test_protocol_model",
    "jobs/labs/test_camino",
    "include/housekeeping/test_quarantine",
    "integration/test_launch",
    "include/housekeeping/test_cut_off",
    "integration/test_front_door",
    "include/housekeeping/test_undo",
    "include/housekeeping/test_engine_crash",
    "jobs/labs/test_trampas",
    "include/kafka/test_secure_broker",
    "integration/test_temperaturas",
    "integration/test_early_death",
    "include/housekeeping/test_purge",
    "include/housekeeping/test_rollover",
    "jobs/labs/test_caso2",
    "dags/test_streams",
    "integration/test_new_stream",
    "integration/test_kafka_streams",
    "jobs/labs/test_estado",
    "include/services/test_supervisor",
    "jobs/core/test_publish",
    "torture/test_power",
    "torture/test_table",
    "integration/test_bizums_por_dia",
    "integration/test_services",
    "include/cli/test_feed_and_look",
    "include/housekeeping/test_reset",
    "integration/test_kafka_account",
    "jobs/labs/test_sink_mongodb",
    "jobs/labs/test_bizums",
    "jobs/labs/test_fuentes_kafka",
    "jobs/labs/test_actividad3",
    "labs/test_notebook_server",
    "jobs/core/test_strict",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long files first, so that two processes end together. No test depends on it; one that is not named comes after them."""
    rank = {config.rootpath / "tests" / f"{name}.py": at for at, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path, len(LONG)))


def slowest(reports: Iterable[pytest.TestReport], least_s: float) -> list[tuple[float, str]]:
    """(seconds, file) of what took longest, all of its tests with their set-up together, the longest first."""
    seconds: Counter[str] = Counter()
    for report in reports:
        seconds[report.nodeid.partition("::")[0]] += report.duration  # type: ignore[assignment]
    return [(spent, file) for file, spent in seconds.most_common() if spent >= least_s]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The files that decide how long the whole takes: a file is never shared by two processes, and LONG above is the order they start in."""
    found = slowest(
        (r for group in terminalreporter.stats.values() for r in group if isinstance(r, pytest.TestReport)),
        LONG_S,
    )
    if found:
        terminalreporter.section(f"files over {LONG_S:.0f} s")
        for spent, file in found:
            terminalreporter.line(f"{spent:6.1f} s  {file}")


def _prepare_environment() -> None:
    """PySpark reads these when it starts the JVM and the workers."""
    spec = find_spec("pyspark")
    assert spec is not None and spec.origin is not None
    os.environ["SPARK_HOME"] = str(Path(spec.origin).parent)
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"


def _clean_environment() -> None:
    """What a shell carries reaches the tests no more than a driver, whoever starts pytest."""
    kept = {
        name: os.environ[name] for name in ("PYTHONPATH", "JAVA_HOME", "HOME", "TMPDIR") if name in os.environ
    }
    clean = environment.base(caudal.load(), environment.TESTS) | kept
    os.environ.clear()
    os.environ.update(clean)


_clean_environment()


def _quiet_py4j() -> None:
    """A Java object that is collected after its connection has ended says so, whenever that is, in the output of whatever test is running then."""
    logging.getLogger("py4j").setLevel(logging.ERROR)
    logging.getLogger().addFilter(lambda record: record.module != "java_gateway")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Spark session a pytest process: local[2], no UI, loopback only."""
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
        ours = class_data.short_driver(
            settings, java.find(settings)
        )  # without jars: one line that names ./caudal setup
        for key, value in (SETTINGS | UNTRACED | ours).items():
            builder = builder.config(key, value)
        session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    for name in (
        "functions",
        "PythonUtils",
    ):  # asked for at each use of a column, and looked for in 280 jars each time
        setattr(session._jvm, name, getattr(session._jvm, name))
    _quiet_py4j()
    yield session
    session.stop()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a home whose broker runs: one a pytest process. Nobody may count on a topic being there, or not."""
    with in_a_home(tmp_path_factory.mktemp("broker")) as settings:
        yield settings
