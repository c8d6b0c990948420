"""Audits one stream: counts everything it has taken in, published and refused again, from what is on disk and
on the topics. Read-only, takes no lease."""

from __future__ import annotations

from datetime import datetime

from include.account.audit import batches, files, sink_topic, source, source_topic
from include.account.audit.findings import Audit, Case, Tell
from include.settings import Settings
from include.state import generations, journal
from jobs.contract.errors import DataError, Refused
from jobs.contract.stream import Files, Stream, Topic


def audit(settings: Settings, stream: Stream, since: datetime | None, tell: Tell) -> Audit:
    """Counts everything again, or what was admitted and published since then. `tell`: called with lines of
    progress.

    Raises Refused before the first run, and when a housekeeping verb changed the stream meanwhile;
    LedgerDamaged, DataError, CheckpointDamaged for bookkeeping that cannot be read at all.
    """
    # the state before and after is compared, since the audit takes no lease
    case = Case(settings, stream, since, Audit(stream.name, since.isoformat() if since else ""), tell)
    before = _state(case)
    if not before[0]:
        what = "this stream has not run yet: there is nothing to audit"
        raise Refused(what, stream.name, cli=f"./caudal run {stream.name}")
    try:
        _look(case)
    except OSError as error:
        # a file that housekeeping has moved away is no finding; Refused below says so
        if _state(case) == before:
            raise DataError(f"cannot be read: {error.strerror}", error.filename) from error
    if _state(case) != before:
        what = "a housekeeping verb changed this stream while it was read"
        raise Refused(what, stream.name, cli=f"./caudal audit {stream.name}, again")
    return case.audit


def _look(case: Case) -> None:
    stream, published = case.stream, batches.audit(case)
    read: dict[str, tuple[int, int]] = {}
    if isinstance(stream.source, Files):
        read = source.files(case, published, files.audit(case))
    elif isinstance(stream.source, Topic):
        source.offsets(case, published)
        source_topic.audit(case, published, stream.source)
    if not (stream.folder or isinstance(stream.source, Topic)):
        case.unchecked(f"its source is the output of {stream.upstream}: only what it published is compared")
    source.pairs(case, published)
    if isinstance(stream.sink, Topic):
        sink_topic.audit(case, published, stream.sink, read)
    for word in ("purged", "retired"):
        if gone := case.audit.counts.get(f"files {word}"):
            case.unchecked(
                f"{gone:,} delivered files are {word}: their lines are taken from the intake ledger"
            )


def _state(case: Case) -> tuple[list[int], list[str], list[int]]:
    """What must not change during an audit: generations, operations other than archiving, live outputs. Runs
    may go on, because they only add."""
    done = journal.operations(case.layout.journal(case.name), "kind != 'archive'")
    records = generations.numbers(case.layout, case.name)
    return records, [f"{one.id} {one.finished}" for one in done], generations.live(case.layout, case.name)
