"""Decides which refused records can be delivered again, so that they are read as the records they were.

A record that spans lines, or leaves a quote open, may be read as a different record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from include.housekeeping.plan_builder import PlanBuilder
from include.state import refused_records
from include.state.refused_records import Batch, Selection
from jobs.contract.stream import Files, Stream
from jobs.contract.text import csv_records

_LINES = (
    "its records hold line ends, and the row reads one record a line: "
    "Files(multiline=True) in the row, or discard them"
)
_OPEN = (
    "its records leave quotes open, and one would close another's: "
    "mend them (./caudal quarantine show {stream} --raw), put them as a new file"
)
_LARGE = (
    "a delivery of {size} bytes, the row allows whole_file_bytes={most} (multiline=True): "
    "raise the limit, or choose by --reason"
)


def fit(builder: PlanBuilder, stream: Stream, batch: Batch, reasons: Sequence[str]) -> list[str]:
    """The reasons whose records can be delivered together. The plan says of the others why not."""
    source = _source(stream)
    chosen: list[str] = []
    for reason in reasons:
        if why := _why_not(stream, source, batch, [*chosen, reason]):
            builder.keep(batch.folder, f"{reason}: {why}")
        else:
            chosen.append(reason)
    return chosen


def selection(stream: Stream, batch: Batch, reasons: Sequence[str], header: str) -> Selection:
    """The records of a published batch, refused for `reasons` and under `header`, that a delivery holds."""
    source = _source(stream)
    digest = batch.manifest.quarantine_digest if batch.manifest else ""
    return Selection(tuple(reasons), digest, header, source.separator if source.multiline else "")


def _why_not(stream: Stream, source: Files, batch: Batch, reasons: Sequence[str]) -> str:
    records = (r for r in refused_records.records(batch.folder) if r.reason in reasons)
    raws = [(record.header, record.raw) for record in records if record.raw is not None]
    if not source.multiline:
        return _LINES if any(b"\n" in raw for _, raw in raws) else ""
    by_header: dict[str, list[bytes]] = defaultdict(list)
    for header, raw in raws:
        by_header[header].append(raw)
    faults = (
        _fault(stream, source, batch, selection(stream, batch, reasons, header), raws)
        for header, raws in by_header.items()
    )
    return next(filter(None, faults), "")


def _fault(stream: Stream, source: Files, batch: Batch, wanted: Selection, raws: Sequence[bytes]) -> str:
    """Why a delivery would not be read as the records `raws`; empty when it would."""
    whole = b"".join(refused_records.delivery("", "", batch.folder, wanted))
    if len(whole) > stream.limits.whole_file_bytes:
        return _LARGE.format(size=len(whole), most=stream.limits.whole_file_bytes)
    header = [wanted.header.encode()] if wanted.header else []
    expected = [*header, *(raw.removesuffix(b"\r") for raw in raws)]
    records = csv_records.split_records(whole, source.multiline_separator)
    return "" if sorted(records) == sorted(expected) else _OPEN.format(stream=stream.name)


def _source(stream: Stream) -> Files:
    assert isinstance(stream.source, Files)  # noqa: S101 - records of a topic are not delivered again
    return stream.source
