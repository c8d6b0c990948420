"""What is in quarantine and where it came from. Reads only.

A record's line is looked up when it is shown: Spark's text source does not tell it, so the file, in archivo or en_proceso, is read for records
of exactly these bytes. One that spans lines has the number of its first line. Equal records of one file are told in order; which of them is
which nobody can say, and nothing hangs on it.
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
    """The refused records of one batch and reason. `at`: when the run that refused them began, UTC, ISO 8601. `mark`: what was done with them."""

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
    """One file of `cuarentena/F/ficheros`, with what stands in the reason beside it."""

    path: Path
    original_name: str
    code: str
    reason: str
    size_bytes: int
    at: str


@dataclass(frozen=True)
class Shown:
    """A refused record with its origin. `file`: as delivered, empty for a topic. `line`: counted from 1; None where it cannot be known, as of a file
    that is purged. `reprocessed_from`: the batch whose refused record this is a second time, in words."""

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
    return (
        batch.manifest.run_id
        if batch.manifest
        else next((r.run_id for r in refused_records.records(batch.folder)), "")
    )


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
        "reason": "the reason beside it cannot be read",
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
    """`batch`: of the newest generation that has refused records of such a batch; `reason`: a code; `file`: as delivered, or admitted."""

    batch: int | None = None
    reason: str = ""
    file: str = ""

    def meets(self, shown: Shown) -> bool:
        return self.reason in ("", shown.record.reason) and self.file in ("", shown.file, shown.record.origin)


def unmet(
    layout: Layout, stream: Stream, reasons: Sequence[str] = (), batch: int | None = None, file: str = ""
) -> list[str]:
    """A sentence for each part of a question that nothing in this stream's quarantine meets, with what there is."""
    found, refused_files = groups(layout, stream.name), files(layout, stream)
    known = sorted({one.reason for one in found} | {one.code for one in refused_files})
    there = f" (refused here: {', '.join(known) or 'nothing'})"
    told = [
        f"nothing is refused as {one[:40]!r}{there}{hint(one, known)}" for one in reasons if one not in known
    ]
    if batch is not None and batch not in {one.batch for one in found}:
        numbers = ", ".join(map(str, sorted({one.batch for one in found})))
        told.append(f"batch {batch} has no refused records; batches that have: {numbers or 'none'}")
    near = (
        hint(file, [name for one in refused_files for name in (one.original_name, one.path.name)])
        if file
        else ""
    )
    return [*told, *([f"no refused file is called {file[:80]!r}{near}"] if near else [])]


def show(layout: Layout, stream: Stream, asked: Asked) -> Iterator[Shown]:
    """Refused records that the question meets, oldest batch first; each origin file is read once a batch. Raises DataError."""
    found = refused_records.batches(layout, stream.name)
    if asked.batch is not None:
        found = [b for b in found if b.number == asked.batch][-1:]
    for batch in found:
        yield from (shown for shown in _shown(layout, stream, batch) if asked.meets(shown))


def _shown(layout: Layout, stream: Stream, batch: Batch) -> Iterator[Shown]:
    found = list(refused_records.records(batch.folder))
    origins = _origins(layout, stream, found)
    places = {name: _lines(layout, stream, entry, found) for name, entry in origins.items()}
    for record in found:
        entry = origins.get(record.origin)
        name = entry.original_name if entry else record.origin if stream.folder else ""
        left = places.get(record.origin, {}).get(record.raw or b"", [])
        line = left.pop(0) if left else None
        yield Shown(
            record,
            batch.generation,
            batch.number,
            batch.state(record.reason),
            name,
            line,
            _from(layout, stream, name),
        )


def _origins(layout: Layout, stream: Stream, found: Sequence[RefusedRecord]) -> dict[str, Entry]:
    if not stream.folder or not layout.ledger(stream.folder).is_file():
        return {}
    return ledger.lookup(layout.ledger(stream.folder), {r.origin for r in found})


def _lines(
    layout: Layout, stream: Stream, entry: Entry, refused_ones: Sequence[RefusedRecord]
) -> dict[bytes, list[int]]:
    """Raw bytes -> numbers of the lines that these records start in, ascending. Raises DataError for a file that cannot be read."""
    path: Path | None = layout.en_proceso(stream.folder) / entry.name
    if path is None or not storage.is_regular(path):
        path = archived.locate(layout, stream.name, stream.folder, entry)
    wanted = {r.raw for r in refused_ones if r.origin == entry.name and r.raw is not None}
    found: dict[bytes, list[int]] = defaultdict(list)
    if path is None:
        return found
    assert isinstance(stream.source, Files)  # noqa: S101 - it has a folder
    try:
        for number, raw in csv_records.read(path, stream.source):
            known = (
                raw if raw in wanted else lines.unmarked(raw)
            )  # of a file that is read whole, too, the first mark may be left out
            if known in wanted:
                found[known].append(number)
    except lines.UNREADABLE as error:
        raise DataError(
            f"the file of refused records cannot be read: {error}", path, cli="put it back from a backup"
        ) from error
    return found


def _from(layout: Layout, stream: Stream, name: str) -> str:
    found = deliveries.of_name(layout, stream.name, name) if name else None
    return f"batch {found.batch} of generation {found.generation}, by {found.operation}" if found else ""
