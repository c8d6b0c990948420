"""Decides whether more records were refused than the row allows: of a run after publishing, or of a batch
before it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from jobs.contract.commit.manifest import Identity
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import BatchHeld, DataError, TooManyRefused
from jobs.contract.run.report import Report
from jobs.contract.stream import Stream


@dataclass(frozen=True)
class Acceptance:
    """A person's decision that the batch with this `identity` may be published with up to `records` refused
    records. `at`: UTC, ISO 8601."""

    identity: Identity
    records: int
    at: str

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"


def acceptances(layout: Layout, stream: str, generation: int, batch: int) -> list[Acceptance]:
    """The acceptances for a batch of this number. Raises DataError for one that cannot be read."""
    folder = layout.accepted(stream, generation, batch)
    given = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        try:
            raw = json.loads(path.read_bytes())
            given.append(Acceptance(Identity(**raw["identity"]), int(raw["records"]), str(raw["at"])))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"unreadable acceptance ({type(error).__name__}: {error})", path) from error
    return given


def over(records_in: int, refused: int, share: float | None, records: int | None) -> str:
    """In words, which limit is exceeded; empty when none is. A share of 0 records is 0."""
    if records is not None and refused > records:
        return f"{refused} of {records_in} records were refused, the row allows {records}"
    if share is not None and records_in and refused / records_in > share:
        return (
            f"{refused} of {records_in} records were refused ({refused / records_in:.1%}), the row allows "
            f"{share:.1%}"
        )
    return ""


def require_allowed(
    layout: Layout,
    stream: Stream,
    generation: int,
    batch: int,
    identity: Identity,
    records_in: int,
    refused: int,
) -> None:
    """Raises BatchHeld if the row has `when="before"`, the batch exceeds a fail limit, and nobody has
    accepted it with at least as many refused records."""
    asked = stream.thresholds
    why = over(records_in, refused, asked.fail_share, asked.fail_records) if asked.when == "before" else ""
    if not why or any(
        a.identity == identity and refused <= a.records
        for a in acceptances(layout, stream.name, generation, batch)
    ):
        return
    # An acceptance for fewer records does not count: the person did not see the others.
    held = BatchHeld(
        f"batch {batch} of generation {generation} is held: {why}",
        layout.refused_records(stream.name, generation, batch),
    )
    held.way_cli = held.way_cli.replace("BATCH", str(batch))
    raise held


def exceeded(done: Report, stream: Stream) -> TooManyRefused | None:
    """The error of a run in which more records were refused than its row allows; None otherwise. With
    `when="before"`, every published batch was within the limit or accepted."""
    asked = stream.thresholds
    why = (
        over(done.records_in, done.quarantined, asked.fail_share, asked.fail_records)
        if asked.when == "after"
        else ""
    )
    if not why:
        return None
    error = TooManyRefused(why, stream.name)
    error.name_stream(stream.name)
    return error


def judged(done: Report, stream: Stream) -> Report:
    """The report with the row's thresholds applied: a warning, or the failure of the run. If the run has
    failed before, it is a warning in both cases."""
    asked = stream.thresholds
    error = exceeded(done, stream)
    if error and not done.error:
        return replace(done, status="failed", exit_code=int(error.exit_code), error=error.to_json())
    why = (
        error.what if error else over(done.records_in, done.quarantined, asked.warn_share, asked.warn_records)
    )
    return (
        replace(done, warnings=(*done.warnings, f"{why}: ./caudal quarantine list {stream.name}"))
        if why
        else done
    )
