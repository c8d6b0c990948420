"""`report.json` says what one run did. It is written with status `running` before Spark starts, and replaced
at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from jobs.contract.commit import manifest
from jobs.contract.commit.manifest import Manifest
from jobs.contract.errors import DataError
from jobs.contract.run.spec import RunSpec

VERSION = 1
# `died` is never written: it is how a report is shown that says `running` although nobody holds the lease.
Status = Literal["running", "done", "idle", "failed", "died"]


@dataclass(frozen=True)
class Report:
    """The report of one run. Counts are records, except `files_*`.

    `batches`: numbers of the batches published since the last reported one, including those of a killed run.
    `account`: what was recounted of these batches (jobs.contract.run.account); empty without batches, and in
    older reports.
    """

    stream: str
    run_id: str
    status: Status
    started: str  # UTC, ISO 8601
    airflow_run_id: str = ""
    query_id: str = ""
    generation: int = 0
    batches: tuple[int, ...] = ()
    last_batch: int = -1  # newest batch this and all earlier reports cover
    exit_code: int = 0
    error: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()
    files_admitted: int = 0
    files_refused: int = 0
    files_waiting: int = 0
    records_in: int = 0
    rows_out: int = 0
    quarantined: int = 0
    dropped_late: int = 0
    lag_records: int = 0
    duration_s: float = 0.0
    account: Mapping[str, Any] = field(default_factory=dict)
    version: int = field(default=VERSION)

    def to_json(self) -> bytes:
        return (json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n").encode(
            "utf-8", "backslashreplace"
        )  # file names may contain bytes that are not UTF-8

    @classmethod
    def from_json(cls, data: bytes, where: object = "") -> Report:
        """Raises DataError when the bytes are not a report of this version."""
        try:
            raw = json.loads(data)
            if raw["version"] != VERSION:
                raise DataError(f"report version {raw['version']} is not {VERSION}", where)
            if raw["status"] not in get_args(Status):
                raise DataError(f"unknown status {str(raw['status'])[:20]!r}", where)
            # Unknown keys are ignored, so that an older Caudal can read the reports of a newer one.
            known = {f.name for f in fields(cls)}
            values: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in raw.items() if k in known
            }
            return cls(**values)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"unreadable report ({type(error).__name__}: {error})", where) from error


def of(spec: RunSpec, status: Status, duration_s: float = 0.0) -> Report:
    """What is known of a run before Spark has done anything."""
    return Report(
        stream=spec.stream.name,
        run_id=spec.run_id,
        status=status,
        started=spec.started,
        airflow_run_id=spec.airflow_run_id,
        generation=spec.generation,
        last_batch=spec.reported_through,
        warnings=spec.warnings,
        files_admitted=spec.files_admitted,
        files_refused=spec.files_refused,
        files_waiting=spec.files_waiting,
        duration_s=duration_s,
    )


def with_published(base: Report, output: Path) -> Report:
    """`base` with every batch published after its `last_batch`. `output`: the generation's folder.

    So the batches of a killed run are reported by the next run, even if that one finds nothing to read.
    Raises DataError when a manifest cannot be read.
    """
    batches = [
        manifest.read(path) for number, path in manifest.published(output).items() if number > base.last_batch
    ]
    return replace(
        base,
        query_id=base.query_id or (batches[-1].query_id if batches else ""),
        batches=tuple(m.batch for m in batches),
        last_batch=max([m.batch for m in batches], default=base.last_batch),
        records_in=sum(m.records_in for m in batches),
        rows_out=sum(m.rows_out for m in batches),
        quarantined=sum(m.quarantined for m in batches),
        dropped_late=sum(m.dropped_late for m in batches),
        warnings=(*base.warnings, *_noted(batches)),
    )


def _noted(batches: Sequence[Manifest]) -> Iterator[str]:
    """A sentence for each rule that published records break."""
    for code in sorted({code for m in batches for code in m.notes}):
        notes = [m.notes[code] for m in batches if code in m.notes]
        records = sum(note.records for note in notes)
        yield f"{records} records published against the rule {code}, for example in {notes[0].example}"


def read(path: Path) -> Report | None:
    """The report at `path`; None when there is none."""
    try:
        return Report.from_json(path.read_bytes(), path)
    except FileNotFoundError:
        return None


def newest(runs: Path) -> Iterator[Path]:
    """Report files of one stream, newest run first; run ids sort by time. An iterator, because a stream has
    hundreds of runs a day and callers stop early."""
    names = sorted((entry.name for entry in runs.iterdir()), reverse=True) if runs.is_dir() else []
    return (path for name in names if (path := runs / name / "report.json").is_file())


def newest_with_data(runs: Path) -> Report | None:
    """The newest report of a run that read or published something; scheduled runs without input may be newer.
    Unreadable reports are skipped."""
    for path in newest(runs):
        with suppress(DataError, OSError):
            candidate = read(path)
            if candidate and (candidate.records_in or candidate.rows_out):
                return candidate
    return None
