"""Finds out what is waiting. That decides whether Spark starts at all: a run with nothing to do takes well
under a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from include.kafka import offsets
from include.state import upstream
from include.state.generations import Generation
from jobs.contract.commit import protocol
from jobs.contract.commit.closing_batch import is_due
from jobs.contract.commit.loaded import LoadedCheckpoint
from jobs.contract.commit.upstream import outputs
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import OffsetsLost, TopicRecreated
from jobs.contract.stream import Stream


@dataclass(frozen=True)
class Waiting:
    """Bytes for files, records for Kafka, both for the output of an upstream stream.

    `open_batch`: Spark has a batch to run again. `closing`: this run has windows to close, even if nothing
    else is waiting. `undecided`: offsets on the topic that read_committed consumers cannot see yet, because
    an earlier transaction is open.
    """

    open_batch: bool
    files: int = 0
    size_bytes: int = 0
    records: int = 0
    closing: bool = False
    undecided: int = 0

    @property
    def anything(self) -> bool:
        return self.open_batch or self.files > 0 or self.records > 0 or self.closing


def files(layout: Layout, stream: Stream, read: LoadedCheckpoint, verdict: protocol.Proceed) -> Waiting:
    """Files in en_proceso that are in no planned batch yet. `read` was loaded with the names of these
    files."""
    names = [n for n in read.names if protocol.is_unplanned(read.logged.get(n), read.planned)]
    folder = layout.en_proceso(stream.folder)
    size = sum((folder / name).lstat().st_size for name in names)
    return Waiting(verdict.step is protocol.Next.RERUN, files=len(names), size_bytes=size)


def published(
    layout: Layout, stream: Stream, generation: int, verdict: protocol.Proceed, close: bool
) -> Waiting:
    """Part files of the upstream stream that are in no planned batch yet. One without a record does not start
    a run by itself. `close`: this run is to close windows. Raises UpstreamTakenBack, PlannedFileMissing."""
    unread = upstream.unread(layout, stream, generation)
    full = [file for file in outputs(layout, stream.upstream, unread).values() if file.records]
    closing = close and (bool(full) or is_due(layout.checkpoint(stream.name, generation)))
    size, count = sum(file.size_bytes for file in full), sum(file.records for file in full)
    return Waiting(verdict.step is protocol.Next.RERUN, len(full), size, count, closing)


def topic(
    positions: offsets.Positions, read: LoadedCheckpoint, generation: Generation, verdict: protocol.Proceed
) -> Waiting:
    """Records between the newest planned offsets and the topic's end. Raises TopicRecreated or OffsetsLost,
    where Spark would silently lose records."""
    name = positions.topic
    known = generation.topic_ids.get(name, "")
    if known and positions.topic_id and known != positions.topic_id:
        raise TopicRecreated(f"topic id {positions.topic_id} now, {known} when this generation began", name)
    planned = _planned(read, generation, name)
    for partition, offset in planned.items():
        _check_range(name, partition, offset, positions)
    begin = {p: max(planned.get(p, 0), earliest) for p, earliest in positions.earliest.items()}
    decided = {p: max(begin[p], positions.decided.get(p, end)) for p, end in positions.end.items()}
    undecided = sum(max(0, end - decided[p]) for p, end in positions.end.items())
    return Waiting(
        verdict.step is protocol.Next.RERUN,
        records=sum(decided[p] - begin[p] for p in decided),
        undecided=undecided,
    )


def _planned(read: LoadedCheckpoint, generation: Generation, name: str) -> Mapping[int, int]:
    """Partition -> offset up to which the topic is planned: from the newest offset of the checkpoint, or else
    from the generation's own start."""
    position = read.positions.get(read.state.newest_offset, {}) if read.state.offsets else {}
    if not position and isinstance(generation.start, dict):
        position = generation.start
    return {int(p): int(o) for p, o in position.get(name, {}).items()}


def _check_range(name: str, partition: int, offset: int, positions: offsets.Positions) -> None:
    where = f"{name}/{partition}"
    if partition not in positions.end:
        raise OffsetsLost("the partition is gone from the topic", where)
    earliest, end = positions.earliest[partition], positions.end[partition]
    if offset < earliest:
        what = f"offsets {offset} to {earliest - 1} were never read and are no longer there"
        raise OffsetsLost(what, where)
    if offset > end:
        lost = "records were cut or the broker lost its data"
        raise OffsetsLost(f"the topic ends at {end}, this stream has read up to {offset}: {lost}", where)
