"""What a row says of a stream beside its ends: limits, checks, thresholds and upkeep; frozen values, checked
when they are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jobs.contract.errors import BrokenStream


def require(condition: bool, what: str, where: object) -> None:
    """Raises BrokenStream unless `condition`."""
    if not condition:
        raise BrokenStream(what, where)


@dataclass(frozen=True)
class Limits:
    """What one batch and one run may take. A replay after a rewind ignores the batch limits (Spark's
    doing)."""

    batch_bytes: int = 256 * 1024 * 1024  # files: maxBytesPerTrigger
    batch_records: int = 500_000  # Kafka: maxOffsetsPerTrigger
    record_bytes: int = 4 * 1024 * 1024  # a longer record goes to quarantine unparsed
    line_bytes: int = (
        16 * 1024 * 1024
    )  # a file with a longer line is refused whole; two tasks in 1024 MiB read 16 MiB lines, and died of 32 MiB ones
    file_bytes: int = (
        8 * 1024 * 1024 * 1024
    )  # a larger file is refused unread; of a packed one its text counts
    whole_file_bytes: int = (
        64 * 1024 * 1024
    )  # of a csv with multiline=True, unpacked: one task holds it in memory several times
    unpack_ratio: int = 250  # bytes of text for one packed byte; judged from 64 MiB of text on
    run_s: int = 3600  # a run longer than this is stopped by Airflow
    driver_memory_mib: int = 1024
    transaction_records: int = 100_000  # of one Kafka transaction: a second or two

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            require(
                type(value) is int and value > 0, f"{name}={value!r} is not a whole number above 0", "Limits"
            )


@dataclass(frozen=True)
class EventTime:
    """`column` holds when it happened, as `unit` says. A record is refused when that is over `future_s` after
    its admission (a file's, or the Kafka record's own time), or over `past_s` before; None: however old."""

    column: str
    unit: Literal["ms", "s", "timestamp"] = "ms"
    future_s: int = 86_400
    past_s: int | None = None

    def __post_init__(self) -> None:
        require(
            self.unit in ("ms", "s", "timestamp"),
            f"unknown unit {self.unit!r} (ms, s, timestamp)",
            "EventTime",
        )
        require(
            self.future_s >= 0 and (self.past_s is None or self.past_s >= 0),
            "future_s and past_s cannot be negative",
            "EventTime",
        )


@dataclass(frozen=True)
class Checks:
    """What becomes of records that break a rule of their domain. Those of the rules in `report` are
    published, and counted as warnings with an example; every other rule refuses. `unknown_fields`: of a JSON
    record, kept quiet about, reported, or refused."""

    report: tuple[str, ...] = ()
    unknown_fields: Literal["quiet", "report", "refuse"] = "report"
    event_time: EventTime | None = None

    def __post_init__(self) -> None:
        known = self.unknown_fields in ("quiet", "report", "refuse")
        require(known, f"unknown_fields={self.unknown_fields!r} is not quiet, report or refuse", "Checks")


@dataclass(frozen=True)
class Thresholds:
    """How many refused records are too many: a share of the records read (0.05: more than five in a hundred)
    or a number; None: no limit.

    `when`: "after" publishes what is good, and the run then fails; "before" publishes nothing of a batch over
    a fail limit until a person accepts it (`quarantine accept`). "after" judges all batches of a run
    together, "before" each by itself.
    """

    warn_share: float | None = None
    fail_share: float | None = None
    warn_records: int | None = None
    fail_records: int | None = None
    when: Literal["after", "before"] = "after"

    def __post_init__(self) -> None:
        for name in ("warn_share", "fail_share"):
            share = getattr(self, name)
            known = share is None or (
                isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share <= 1
            )
            require(known, f"{name}={share!r} is not a share between 0 and 1", "Thresholds")
        for name in ("warn_records", "fail_records"):
            records = getattr(self, name)
            require(
                records is None or (type(records) is int and records >= 0),
                f"{name}={records!r} is not a number of records",
                "Thresholds",
            )
        require(self.when in ("after", "before"), f"when={self.when!r} is not after or before", "Thresholds")
        limited = self.fail_share is not None or self.fail_records is not None
        require(
            self.when == "after" or limited, 'when="before" needs fail_share or fail_records', "Thresholds"
        )


@dataclass(frozen=True)
class Upkeep:
    """When housekeeping acts by itself. `*_days`: how long archived files, retired generations and run
    folders are kept; None: for ever.

    A checkpoint with more files or bytes in its source log, or more batches, begins a new generation at the
    next cleaning.
    """

    archive_days: int | None = None
    retired_days: int | None = 30
    runs_days: int | None = 30
    log_files: int = 50_000
    log_bytes: int = 32 * 1024 * 1024
    batches: int = 10_000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (value is None and name.endswith("_days")):
                require(
                    type(value) is int and value > 0,
                    f"{name}={value!r} is not a whole number above 0",
                    "Upkeep",
                )
