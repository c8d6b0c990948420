"""Which refused records a delivery can bring back as the records they were: one that spans lines, or leaves a quote open, may become another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from include.housekeeping.plan_builder import Way
from include.state import refused_records
from include.state.refused_records import Batch, Selection
from jobs.contract.stream import Files, Stream
from jobs.contract.text import csv_records

_LINES = "its records hold line ends, and the row reads one record a line: Files(multiline=True) in the row, or discard them"
_OPEN = "its records leave quotes open, and one would close another's: mend them (./caudal quarantine show {stream} --raw), put them as a new file"
_LARGE = "a delivery of {size} bytes, the row allows whole_file_bytes={most} (multiline=True): raise the limit, or choose by --reason"


def fit(way: Way, stream: Stream, batch: Batch, reasons: Sequence[str]) -> list[str]:
    """Those of `reasons` whose records can be delivered together; says of the others why not. Read-only."""
    source = _source(stream)
    chosen: list[str] = []
    for reason in reasons:
        if why := _why_not(stream, source, batch, [*chosen, reason]):
            way.keep(batch.folder, f"{reason}: {why}")
        else:
            chosen.append(reason)
    return chosen


def selection(stream: Stream, batch: Batch, reasons: Sequence[str], header: str) -> Selection:
    """What the delivery of a published batch holds, of records under `header`."""
    source = _source(stream)
    digest = batch.manifest.quarantine_digest if batch.manifest else ""
    return Selection(tuple(reasons), digest, header, source.separator if source.multiline else "")


def _why_not(stream: Stream, source: Files, batch: Batch, reasons: Sequence[str]) -> str:
    wanted = (r for r in refused_records.records(batch.folder) if r.reason in reasons and r.raw is not None)
    if not source.multiline:
        return _LINES if any(b"\n" in (r.raw or b"") for r in wanted) else ""
    under: dict[str, list[bytes]] = defaultdict(list)
    for record in wanted:
        under[record.header].append(record.raw or b"")
    found = (
        _unlike(stream, source, batch, selection(stream, batch, reasons, header), raws)
        for header, raws in under.items()
    )
    return next(filter(None, found), "")


def _unlike(stream: Stream, source: Files, batch: Batch, wanted: Selection, raws: Sequence[bytes]) -> str:
    """Why a delivery would not be read as the records `raws`; empty when it would."""
    whole = b"".join(refused_records.delivery("", "", batch.folder, wanted))
    if len(whole) > stream.limits.whole_file_bytes:
        return _LARGE.format(size=len(whole), most=stream.limits.whole_file_bytes)
    expected = [
        *([wanted.header.encode()] if wanted.header else []),
        *(raw.removesuffix(b"\r") for raw in raws),
    ]
    found = csv_records.split_records(whole, source.multiline_separator)
    return "" if sorted(found) == sorted(expected) else _OPEN.format(stream=stream.name)


def _source(stream: Stream) -> Files:
    assert isinstance(stream.source, Files)  # noqa: S101 - records of a topic are not delivered again
    return stream.source
