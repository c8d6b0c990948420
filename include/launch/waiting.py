"""Is anything waiting? Decides whether Spark starts at all: a run with nothing to do costs well under a second."""

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
    """Bytes for files, records for Kafka, both for what another stream has published; `open_batch` when Spark has a batch to run again;
    `closing` when only windows are to be closed. `undecided`: offsets on a topic that no reader of committed records is given yet, since a
    transaction before them is open."""

    open_batch: bool
    files: int = 0
    size_bytes: int = 0
    records: int = 0
    closing: bool = False
    undecided: int = 0

    @property
    def anything(self) -> bool:
        return self.open_batch or self.files > 0 or self.records > 0 or self.closing


def files(layout: Layout, stream: Stream, read: LoadedCheckpoint, found: protocol.Proceed) -> Waiting:
    """Files in en_proceso, the names that `read` was loaded with, that no planned batch holds yet."""
    names = [n for n in read.names if protocol.is_unplanned(read.logged.get(n), read.planned)]
    folder = layout.en_proceso(stream.folder)
    size = sum((folder / name).lstat().st_size for name in names)
    return Waiting(found.step is protocol.Next.RERUN, files=len(names), size_bytes=size)


def published(
    layout: Layout, stream: Stream, generation: int, found: protocol.Proceed, close: bool
) -> Waiting:
    """Part files of the other stream that no planned batch holds yet; those without a record wait for others. `close`: whether this run is to
    close windows. Raises UpstreamTakenBack, PlannedFileMissing."""
    unread = upstream.unread(layout, stream, generation)
    full = [file for file in outputs(layout, stream.upstream, unread).values() if file.records]
    closing = close and (bool(full) or is_due(layout.checkpoint(stream.name, generation)))
    size, count = sum(file.size_bytes for file in full), sum(file.records for file in full)
    return Waiting(found.step is protocol.Next.RERUN, len(full), size, count, closing)


def topic(
    positions: offsets.Positions, read: LoadedCheckpoint, generation: Generation, found: protocol.Proceed
) -> Waiting:
    """Records between the newest planned offsets and the topic's end. Raises TopicRecreated or OffsetsLost: Spark would lose them silently."""
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
        found.step is protocol.Next.RERUN,
        records=sum(decided[p] - begin[p] for p in decided),
        undecided=undecided,
    )


def _planned(read: LoadedCheckpoint, generation: Generation, name: str) -> Mapping[int, int]:
    """Up to where the topic is planned: by the newest offset, or before the first by the generation's own start."""
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
        raise OffsetsLost(
            f"offsets {offset} to {earliest - 1} were never read and are no longer there", where
        )
    if offset > end:
        raise OffsetsLost(
            f"the topic ends at {end}, this stream has read up to {offset}: records were cut or the broker lost its data",
            where,
        )
