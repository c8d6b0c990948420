"""The log settings of every driver: what is noise is left out of the console, what is an error is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import SparkSession

from include.launch.command import LOGGING
from jobs.labs.kit import lab

pytestmark = pytest.mark.spark
TASKS, CONTINUOUS = (
    "org.apache.spark.scheduler.TaskSetManager",
    "org.apache.spark.sql.execution.streaming.continuous.ContinuousExecution",
)
NOISE = (
    (
        TASKS,
        "[queryId = 6cd7e] Lost task 1.0 in stage 0.0 (TID 1) (localhost executor driver): TaskKilled (Stage "
        "cancelled: [X] Job 0\nmore)",
    ),
    (
        TASKS,
        "Lost task 12.3 in stage 4.1 (TID 190) (10.0.0.1 executor 3): TaskKilled (another attempt succeeded)",
    ),
    (CONTINUOUS, "Disabling AQE since the query runs with continuous mode."),
    (
        "org.apache.spark.sql.kafka010.consumer.KafkaDataConsumer",
        "KafkaDataConsumer is not running in UninterruptibleThread. It may hang",
    ),
    (
        "q [0,1]",
        "The state for version 3 doesn't exist in loadedMaps. Reading snapshot file and delta files if "
        "needed...",
    ),
)
ERRORS = (
    (
        TASKS,
        "[queryId = 6cd7e] Lost task 1.0 in stage 0.0 (TID 1) (localhost executor driver): "
        "java.io.IOException: No space left on device",
    ),
    (
        TASKS,
        (
            "Lost task 1.0 in stage 0.0 (TID 1) (localhost executor driver): SparkException: after "
            "TaskKilled (x)"
        ),
    ),
    (TASKS, "Task 0 in stage 0.0 failed 1 times; aborting job"),
    (CONTINUOUS, "Query q terminated with error"),
)


@pytest.fixture(scope="module")
def log4j(spark: SparkSession) -> Any:
    return spark.sparkContext._jvm.org.apache.logging.log4j


@pytest.fixture
def console(spark: SparkSession, log4j: Any) -> Iterator[Any]:
    """The console of our own settings, in a context of their own."""
    context = log4j.core.LoggerContext("ours", None, spark.sparkContext._jvm.java.net.URI(LOGGING.as_uri()))
    context.start()
    yield context.getConfiguration().getAppender("console")
    context.stop()


def shown(log4j: Any, console: Any, name: str, text: str) -> bool:
    event = log4j.core.impl.Log4jLogEvent.newBuilder().setLoggerName(name).setLevel(log4j.Level.ERROR)
    return not console.isFiltered(event.setMessage(log4j.message.SimpleMessage(text)).build())


@pytest.mark.parametrize(("name", "text"), NOISE)
def test_noise_is_left_out_of_the_console(log4j: Any, console: Any, name: str, text: str) -> None:
    assert not shown(log4j, console, name, text)


@pytest.mark.parametrize(("name", "text"), ERRORS)
def test_real_errors_stay_visible(log4j: Any, console: Any, name: str, text: str) -> None:
    assert shown(log4j, console, name, text)


def test_while_a_query_is_cut_short_the_console_is_silent_and_speaks_again_afterwards(
    log4j: Any, spark: SparkSession
) -> None:
    console = log4j.LogManager.getContext(False).getConfiguration().getAppender("console")
    before = shown(log4j, console, *ERRORS[0])
    with pytest.raises(ValueError), lab.cut_short_in_silence():
        during = shown(log4j, console, *ERRORS[0])
        raise ValueError
    assert (before, during, shown(log4j, console, *ERRORS[0])) == (True, False, True)
