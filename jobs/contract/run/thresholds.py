"""Are more records refused than the row allows? Judged of a run's report after it has published, or of a
batch before it is."""

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
    """A person's word that this very batch, `identity`, may be published with up to `records` refused ones.
    `at`: UTC, ISO 8601."""

    identity: Identity
    records: int
    at: str

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"


def acceptances(layout: Layout, stream: str, generation: int, batch: int) -> list[Acceptance]:
    """Those given for a batch of this number. Raises DataError for one that cannot be read."""
    folder = layout.accepted(stream, generation, batch)
    found = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        try:
            raw = json.loads(path.read_bytes())
            found.append(Acceptance(Identity(**raw["identity"]), int(raw["records"]), str(raw["at"])))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"unreadable acceptance ({type(error).__name__}: {error})", path) from error
    return found


def over(records_in: int, refused: int, share: float | None, records: int | None) -> str:
    """In words, the limit that is passed; empty when none is. A share of nothing is 0."""
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
    """Of a row that asks before: raises BatchHeld for a batch over a fail limit that nobody has accepted with
    as many refused records."""
    asked = stream.thresholds
    why = over(records_in, refused, asked.fail_share, asked.fail_records) if asked.when == "before" else ""
    if not why or any(
        a.identity == identity and refused <= a.records
        for a in acceptances(layout, stream.name, generation, batch)
    ):
        return
    held = BatchHeld(
        f"batch {batch} of generation {generation} is held: {why}",
        layout.refused_records(stream.name, generation, batch),
    )
    held.way_cli = held.way_cli.replace("BATCH", str(batch))
    raise held


def exceeded(done: Report, stream: Stream) -> TooManyRefused | None:
    """The error of a run that has published more refused records than its row allows; of a row that asks
    before, all of it was allowed."""
    asked = stream.thresholds
    why = (
        over(done.records_in, done.quarantined, asked.fail_share, asked.fail_records)
        if asked.when == "after"
        else ""
    )
    if not why:
        return None
    found = TooManyRefused(why, stream.name)
    found.name_stream(stream.name)
    return found


def judged(done: Report, stream: Stream) -> Report:
    """The report with the row's thresholds applied: a warning, or the run's failure; beside another failure
    both are warnings."""
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
