"""What Spark and Kafka throw, as errors with a name; the rest keeps its innermost cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.contract.errors import (
    CaudalError,
    ConfigError,
    DiskFull,
    OffsetsLost,
    PairingBroken,
    RunFailed,
    TopicMissing,
)
from jobs.core import run


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("java.io.IOException: No space left on device", DiskFull),
        ("UnknownTopicOrPartitionException: x", TopicMissing),
        ("[KAFKA_DATA_LOSS.COULD_NOT_READ_OFFSET_RANGE] x", OffsetsLost),
        (
            (
                "org.apache.kafka.common.errors.TopicAuthorizationException: Not authorized to access "
                "topics: [t]"
            ),
            ConfigError,
        ),
        (
            "java.lang.IllegalArgumentException: Wrong basePath file:/a for the root path: file:/b",
            PairingBroken,
        ),
        ("anything else", RunFailed),
    ],
)
def test_what_is_known_has_its_name(text: str, kind: type[CaudalError]) -> None:
    assert type(run.foreseen(RuntimeError(text), Path("driver.log"))) is kind


def test_the_innermost_cause_is_kept() -> None:
    text = (
        "[STREAM_FAILED] Query terminated\npy4j.Py4JException: x\nTraceback (most recent call last):\n  "
        "File\nValueError: the reason"
    )
    assert run.foreseen(RuntimeError(text), Path("driver.log")).what == "RuntimeError: ValueError: the reason"
