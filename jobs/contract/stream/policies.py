"""What a row says besides source and sink: limits, checks, thresholds and upkeep. Frozen values, checked when
they are constructed."""

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
    """What one batch and one run may take. A replay after a rewind ignores the batch limits, because Spark
    does."""

    batch_bytes: int = 256 * 1024 * 1024  # files: maxBytesPerTrigger
    batch_records: int = 500_000  # Kafka: maxOffsetsPerTrigger
    record_bytes: int = 4 * 1024 * 1024  # a longer record goes to quarantine unparsed
    # A file with a longer line is refused whole. Two tasks in 1024 MiB read lines of 16 MiB, and died of 32
    # MiB.
    line_bytes: int = 16 * 1024 * 1024
    # A larger file is refused unread. Of a packed file, the unpacked text counts.
    file_bytes: int = 8 * 1024 * 1024 * 1024
    # Of a csv with multiline=True, unpacked. One task holds the whole file in memory several times.
    whole_file_bytes: int = 64 * 1024 * 1024
    # Bytes of text for one packed byte, checked from 64 MiB of text on: protects against archive bombs.
    unpack_ratio: int = 250
    run_s: int = 3600  # Airflow stops a run that takes longer
    driver_memory_mib: int = 1024
    transaction_records: int = 100_000  # in one Kafka transaction, which then takes a second or two

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            require(
                type(value) is int and value > 0, f"{name}={value!r} is not a whole number above 0", "Limits"
            )


@dataclass(frozen=True)
class EventTime:
    """Which event times are plausible. `column`: the column with the event time, in `unit`.

    A record is refused when its event time is more than `future_s` after its admission, or more than `past_s`
    before it (None: any age). Admission is that of its file, or the Kafka record's timestamp. One event in
    the far future would move the watermark, and Spark would drop all later records.
    """

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
    """What happens to records that break a rule of their domain.

    Records that break a rule in `report` are published, and counted in a warning with an example. All other
    rules refuse the record. `unknown_fields` of a JSON record are ignored, reported, or refused.
    """

    report: tuple[str, ...] = ()
    unknown_fields: Literal["quiet", "report", "refuse"] = "report"
    event_time: EventTime | None = None

    def __post_init__(self) -> None:
        known = self.unknown_fields in ("quiet", "report", "refuse")
        require(known, f"unknown_fields={self.unknown_fields!r} is not quiet, report or refuse", "Checks")


@dataclass(frozen=True)
class Thresholds:
    """How many refused records are too many: a share of the records read (0.05: more than five in a hundred),
    or a number. None: no limit.

    `when="after"` publishes the good records and then fails the run; it judges all batches of a run together.
    `when="before"` publishes nothing of a batch over a fail limit until a person accepts it (`quarantine
    accept`); it judges each batch by itself.
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
    """When housekeeping acts without a person. `*_days`: how long archived files, retired generations and run
    folders are kept; None: for ever.

    A checkpoint with more than `log_files` or `log_bytes` in its source log, or more than `batches`, gets a
    new generation at the next cleaning: Spark never shrinks that log and reads it at every start.
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
