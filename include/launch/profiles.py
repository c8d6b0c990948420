"""Chooses JVM options by how much is waiting. Measured on 2 cores: docs/performance.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Below this, a run spends nearly all its time on start-up and on compiling, and the C2 compiler never pays
# off.
SHORT_BYTES = 48 * 1024 * 1024
SHORT_RECORDS = 60_000


@dataclass(frozen=True)
class Profile:
    name: Literal["short", "long"]
    java_options: tuple[str, ...]


SHORT = Profile("short", ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"))
LONG = Profile("long", ("-XX:+UseParallelGC",))


def choose(waiting_bytes: int, waiting_records: int) -> Profile:
    return SHORT if waiting_bytes <= SHORT_BYTES and waiting_records <= SHORT_RECORDS else LONG
