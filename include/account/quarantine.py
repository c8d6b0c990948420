"""Lists what is in quarantine and where it came from. Read-only.

The line number of a record is looked up when the record is shown, because Spark's text source does not give
it: the file, in archivo or en_proceso, is searched for records of exactly these bytes. A record of several
lines gets the number of its first line. If a file has equal records, their line numbers are given out in
order; nothing depends on which record gets which.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from include.intake import refuse
from include.state import archived, deliveries, refused_records
from include.state.refused_records import Batch, Mark, RefusedRecord, State
from jobs.contract.disk import ledger, storage
from jobs.contract.disk.layout import Layout
from jobs.contract.disk.ledger import Entry
from jobs.contract.errors import DataError
from jobs.contract.nearest import hint
from jobs.contract.stream import Files, Stream
from jobs.contract.text import csv_records, lines


@dataclass(frozen=True)
class Group:
    """The refused records of one batch and reason. `at`: when the run that refused them began, UTC, ISO 8601.
    `mark`: what was done with them."""

    generation: int
    batch: int
    reason: str
    records: int
    state: State
    at: str
    run_id: str
    mark: Mark | None


@dataclass(frozen=True)
class RefusedFile:
    """One file of `cuarentena/F/ficheros`, with the content of the reason file beside it."""

    path: Path
    original_name: str
    code: str
    reason: str
    size_bytes: int
    at: str


@dataclass(frozen=True)
class Shown:
    """A refused record with its origin.

    `file`: its name as delivered, empty for a topic. `line`: counted from 1; None when it cannot be known,
    for example because the file is purged. `reprocessed_from`: if this record was refused before, the batch
    it came from, in words.
    """

    record: RefusedRecord
    generation: int
    batch: int
    state: State
    file: str
    line: int | None
    reprocessed_from: str = ""


def groups(layout: Layout, stream: str) -> list[Group]:
    """Oldest first. Raises DataError for what cannot be read."""
    return [
        Group(
            b.generation,
            b.number,
            reason,
            count,
            b.state(reason),
            b.at.isoformat(timespec="seconds"),
            _run_id(b),
            b.mark(reason),
        )
        for b in refused_records.batches(layout, stream)
        for reason, count in sorted(refused_records.reasons(b).items())
    ]


def _run_id(batch: Batch) -> str:
    if batch.manifest:
        return batch.manifest.run_id
    return next((record.run_id for record in refused_records.records(batch.folder)), "")


def files(layout: Layout, stream: Stream) -> list[RefusedFile]:
    """By name; none for a topic."""
    folder = layout.refused_files(stream.folder)
    if not stream.folder or not folder.is_dir():
        return []
    return [
        _file(p)
        for p in sorted(folder.iterdir())
        if storage.is_regular(p) and not p.name.endswith(refuse.REASON_SUFFIX) and p.name[0] != "."
    ]


def _file(path: Path) -> RefusedFile:
    raw = {
        "original_name": path.name,
        "code": "unknown",
        "reason": "its reason file cannot be read",
        "refused_at": "",
    }
    with suppress(OSError, ValueError, TypeError):
        raw |= storage.read_json(path.with_name(f"{path.name}{refuse.REASON_SUFFIX}"))
    return RefusedFile(
        path,
        str(raw["original_name"]),
        str(raw["code"]),
        str(raw["reason"]),
        path.stat().st_size,
        str(raw["refused_at"]),
    )


@dataclass(frozen=True)
class Asked:
    """`batch`: in the newest generation that has refused records in a batch of this number. `reason`: a code.
    `file`: its name as delivered, or as admitted."""

    batch: int | None = None
    reason: str = ""
    file: str = ""

    def meets(self, shown: Shown) -> bool:
        return self.reason in ("", shown.record.reason) and self.file in ("", shown.file, shown.record.origin)


def unmet(
    layout: Layout, stream: Stream, reasons: Sequence[str] = (), batch: int | None = None, file: str = ""
) -> list[str]:
    """A sentence for each part of the question that matches nothing in this stream's quarantine; it says what
    there is."""
    refused, refused_files = groups(layout, stream.name), files(layout, stream)
    known = sorted({group.reason for group in refused} | {f.code for f in refused_files})
    there = f" (refused here: {', '.join(known) or 'nothing'})"
    sentences = [
        f"nothing is refused as {reason[:40]!r}{there}{hint(reason, known)}"
        for reason in reasons
        if reason not in known
    ]
    batches = sorted({group.batch for group in refused})
    if batch is not None and batch not in batches:
        numbers = ", ".join(map(str, batches)) or "none"
        sentences.append(f"batch {batch} has no refused records; batches that have: {numbers}")
    names = [name for f in refused_files for name in (f.original_name, f.path.name)]
    near = hint(file, names) if file else ""
    return [*sentences, *([f"no refused file is called {file[:80]!r}{near}"] if near else [])]


def show(layout: Layout, stream: Stream, asked: Asked) -> Iterator[Shown]:
    """Refused records that match the question, oldest batch first. Each origin file is read once per batch.
    Raises DataError."""
    batches = refused_records.batches(layout, stream.name)
    if asked.batch is not None:
        batches = [b for b in batches if b.number == asked.batch][-1:]
    for batch in batches:
        yield from (shown for shown in _shown(layout, stream, batch) if asked.meets(shown))


def _shown(layout: Layout, stream: Stream, batch: Batch) -> Iterator[Shown]:
    records = list(refused_records.records(batch.folder))
    origins = _origins(layout, stream, records)
    places = {name: _lines(layout, stream, entry, records) for name, entry in origins.items()}
    for record in records:
        entry = origins.get(record.origin)
        name = entry.original_name if entry else record.origin if stream.folder else ""
        # equal records share a list of lines, and each takes the first that is left
        left = places.get(record.origin, {}).get(record.raw or b"", [])
        line = left.pop(0) if left else None
        state, before = batch.state(record.reason), _from(layout, stream, name)
        yield Shown(record, batch.generation, batch.number, state, name, line, before)


def _origins(layout: Layout, stream: Stream, records: Sequence[RefusedRecord]) -> dict[str, Entry]:
    if not stream.folder or not layout.ledger(stream.folder).is_file():
        return {}
    return ledger.lookup(layout.ledger(stream.folder), {r.origin for r in records})


def _lines(
    layout: Layout, stream: Stream, entry: Entry, records: Sequence[RefusedRecord]
) -> dict[bytes, list[int]]:
    """Raw bytes -> numbers of the lines in which these records start, ascending. Raises DataError for a file
    that cannot be read."""
    path: Path | None = layout.en_proceso(stream.folder) / entry.name
    if path is None or not storage.is_regular(path):
        path = archived.locate(layout, stream.name, stream.folder, entry)
    wanted = {r.raw for r in records if r.origin == entry.name and r.raw is not None}
    starts: dict[bytes, list[int]] = defaultdict(list)
    if path is None:
        return starts
    assert isinstance(stream.source, Files)  # noqa: S101 - it has a folder
    try:
        for number, raw in csv_records.read(path, stream.source):
            # the first record may have been refused without the file's byte order mark
            known = raw if raw in wanted else lines.unmarked(raw)
            if known in wanted:
                starts[known].append(number)
    except lines.UNREADABLE as error:
        what = f"the file of refused records cannot be read: {error}"
        raise DataError(what, path, cli="put it back from a backup") from error
    return starts


def _from(layout: Layout, stream: Stream, name: str) -> str:
    earlier = deliveries.of_name(layout, stream.name, name) if name else None
    if earlier is None:
        return ""
    return f"batch {earlier.batch} of generation {earlier.generation}, by {earlier.operation}"
