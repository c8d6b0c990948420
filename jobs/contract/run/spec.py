"""`spec.json` is all that the Spark side gets to know about one run. Only the launcher writes it.

It contains no secret: it names a properties file, and the driver reads that file.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from jobs.contract.errors import DataError
from jobs.contract.stream import (
    Checks,
    EventTime,
    Files,
    Limits,
    Published,
    Source,
    Stream,
    Thresholds,
    Topic,
    Upkeep,
)

VERSION = 1
_MADE = re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{8}")
RUN_ID = re.compile(r"[0-9TZa-z-]{1,64}")  # what any run id may contain: it becomes part of paths


@dataclass(frozen=True)
class RunSpec:
    """What one run should do. `start`: for a Kafka source, where the generation starts ("earliest" or {topic:
    {partition: offset}}); else empty.

    `reported_through`: newest batch that an earlier report covers. `home`: absolute path. `rewinds`: number
    of finished rewinds of this generation; what was sent before the last one is sent again. `close_windows`:
    whether the run ends by publishing the windows that are still open. `source_id`: the id of the source
    topic when this generation began; empty for files, and in generations that do not know it.
    """

    stream: Stream
    run_id: str
    airflow_run_id: str
    started: str  # UTC, ISO 8601
    home: str
    generation: int
    start: str | dict[str, dict[str, int]]
    reported_through: int
    bootstrap: str = ""
    kafka_properties: str = ""
    rewinds: int = 0
    files_admitted: int = 0
    files_refused: int = 0
    files_waiting: int = 0
    warnings: tuple[str, ...] = ()
    close_windows: bool = False
    source_id: str = ""
    version: int = VERSION

    def to_json(self) -> bytes:
        return (json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n").encode(
            "utf-8", "backslashreplace"
        )  # file names may contain bytes that are not UTF-8

    @classmethod
    def from_json(cls, data: bytes, where: object = "") -> RunSpec:
        """Raises DataError when the bytes are not a spec of this version."""
        try:
            raw = json.loads(data)
            if raw["version"] != VERSION:
                raise DataError(f"spec version {raw['version']} is not {VERSION}", where)
            return cls(**{**raw, "stream": _stream(raw["stream"]), "warnings": tuple(raw["warnings"])})
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"unreadable run spec ({type(error).__name__}: {error})", where) from error


def _stream(raw: dict[str, Any]) -> Stream:
    source = raw["source"]
    ends = {"source": _published(source) if "files" in source else _end(source), "sink": _end(raw["sink"])}
    rest = {
        "limits": Limits(**raw["limits"]),
        "checks": _checks(raw["checks"]),
        "upkeep": Upkeep(**raw["upkeep"]),
        "tags": tuple(raw["tags"]),
    }
    return Stream(**{**raw, **ends, **rest, "thresholds": Thresholds(**raw["thresholds"])})


def _checks(raw: dict[str, Any]) -> Checks:
    event_time = EventTime(**raw["event_time"]) if raw["event_time"] else None
    return Checks(**{**raw, "report": tuple(raw["report"]), "event_time": event_time})


def _published(raw: dict[str, Any]) -> Source:
    return Published(raw["stream"], _files(raw["files"]))


def _files(raw: dict[str, Any]) -> Files:
    return Files(**{**raw, "under_way": tuple(raw.get("under_way", ()))})


def _end(raw: dict[str, Any]) -> Files | Topic:
    if "folder" in raw:
        return _files(raw)
    return Topic(**{**raw, "config": tuple((str(k), str(v)) for k, v in raw["config"])})


def is_run_id(name: str) -> bool:
    """Whether `name` has the form of `new_run_id`."""
    return bool(_MADE.fullmatch(name))


def new_run_id(now: datetime) -> str:
    """A run id such as `20261123T201500123Z-1f2e3d4c`: it sorts by time to the millisecond, and 32 random
    bits make it unique."""
    now = now.astimezone(UTC)
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z-{secrets.token_hex(4)}"
