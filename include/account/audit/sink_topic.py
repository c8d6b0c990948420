"""Audits a sink topic: each source record's messages are on it once, in the order of the source partition,
and as many as the manifests say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from include.account.audit.findings import Case, Published, batch_words
from include.account.audit.source_topic import Batch, Ranges
from include.kafka import consume, offsets
from include.kafka.consume import ConsumerRecord
from include.state import journal
from jobs.contract.errors import ServiceError
from jobs.contract.stream import Topic

_EVERY = 50_000  # messages between two lines of progress
_SHOWN = 10  # repeated messages that are listed one by one


@dataclass
class Seen:
    """Messages of this stream's live generations.

    `known`: source and row of each, about 200 bytes. `newest`: (sink partition, source partition) -> (offset,
    row). `beyond`: messages of a batch that is not published yet.
    """

    messages: Counter[Batch] = field(default_factory=Counter)
    known: set[tuple[str, str]] = field(default_factory=set)
    newest: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    repeated: list[tuple[str, str]] = field(default_factory=list)
    disordered: list[tuple[str, str]] = field(default_factory=list)
    beyond: int = 0


def audit(
    case: Case, published: Sequence[Published], topic: Topic, read: Mapping[str, tuple[int, int]]
) -> None:
    """`read`: for a file source, the batch that has read each file."""
    if not case.stream.transactional:
        unnamed = "carry no source (delivery=at-least-once): they are not compared"
        case.unchecked(f"messages on {topic.name} {unnamed}")
        return
    try:
        positions = offsets.positions(case.settings, topic.name)
    except ServiceError as error:
        case.unchecked(f"topic {topic.name} was not read: {error.what}")
        return
    source = case.stream.source.name if isinstance(case.stream.source, Topic) else ""
    ranges = Ranges.of([m for generation in published for m in generation.manifests], source)
    seen = Seen()
    live = {str(generation.generation) for generation in published}
    messages = consume.between(case.settings, topic.name, positions.earliest, positions.end)
    for number, record in enumerate(messages):
        if number % _EVERY == 0:
            case.tell(f"message {number + 1:,} of topic {topic.name}")
        _take(case, record, live, ranges, read, seen)
    case.count(f"messages on {topic.name}", seen.messages.total())
    compacted = "compact" in dict(topic.config).get("cleanup.policy", "")
    _judge(case, published, topic, seen, any(positions.earliest.values()) or compacted)


def _take(
    case: Case,
    record: ConsumerRecord,
    live: set[str],
    ranges: Ranges,
    read: Mapping[str, tuple[int, int]],
    seen: Seen,
) -> None:
    headers = {key: (value or b"").decode("utf-8", "replace") for key, value in record.headers}
    origin, row = headers.get("caudal-source", ""), headers.get("caudal-row", "0")
    ours = headers.get("caudal-stream") == case.name and headers.get("caudal-generation") in live
    if not (ours and origin):
        return
    if isinstance(case.stream.source, Topic):
        topic_partition, _, offset = origin.rpartition("/")
        batch = ranges.batch(int(topic_partition.rpartition("/")[2]), int(offset))
        _place(record, topic_partition, (int(offset), int(row)), seen)
    else:
        batch = read.get(origin)
    if batch is None:
        seen.beyond += 1
    else:
        seen.messages[batch] += 1


def _place(record: ConsumerRecord, source: str, position: tuple[int, int], seen: Seen) -> None:
    here = f"{record.topic}/{record.partition}/{record.offset}"
    origin = f"{source}/{position[0]}" + (f" row {position[1]}" if position[1] else "")
    identity = origin, str(position[1])
    if identity in seen.known:
        seen.repeated.append((here, f"the message of {origin} is here again"))
        return
    seen.known.add(identity)
    # order holds only within one sink partition, and among records of one source partition
    key = record.partition, source
    if position < seen.newest.get(key, (-1, 0)):
        what = f"the message of {origin} comes after that of offset {seen.newest[key][0]}"
        seen.disordered.append((here, what))
    seen.newest[key] = max(position, seen.newest.get(key, position))


def _judge(case: Case, published: Sequence[Published], topic: Topic, seen: Seen, cut: bool) -> None:
    """`cut`: retention or compaction may have removed messages."""
    rewound = "kind = 'rewind' AND finished IS NOT NULL AND undone_by = ''"
    if journal.operations(case.layout.journal(case.name), rewound):
        why = "a rewind was done, so repeats, order and counts of its messages are not judged"
        case.unchecked(f"{len(seen.repeated)} messages on {topic.name} are repeated: {why}")
        return
    _repeats(case, topic, seen)
    if seen.beyond:
        which = "belong to no published batch: the next run publishes it"
        case.unchecked(f"{seen.beyond} messages on {topic.name} {which}")
    for m in (m for generation in published for m in generation.asked):
        _counted(case, topic, (m.generation, m.batch), m.rows_out, seen, cut)


def _repeats(case: Case, topic: Topic, seen: Seen) -> None:
    """Messages that are there twice or out of order."""
    sender = "a second home with this stream on this broker, or another program, has sent it"
    remedy = f"readers must use isolation.level=read_committed; {sender}"
    for where, what in seen.repeated[:_SHOWN]:
        case.differ(where, what, remedy)
    if (more := len(seen.repeated) - _SHOWN) > 0:
        case.differ(topic.name, f"{more} more messages are repeated", remedy)
    remedy = "readers see these messages in the wrong order; next time, add partitions only between runs"
    for where, what in seen.disordered[:_SHOWN]:
        case.differ(where, what, remedy)


def _counted(case: Case, topic: Topic, batch: Batch, sent: int, seen: Seen, cut: bool) -> None:
    """`sent`: messages that the manifest counts."""
    there = seen.messages[batch]
    if there < sent and cut:
        gone = f"{sent - there} of its {sent} messages are gone from {topic.name} by retention"
        case.unchecked(f"{batch_words(*batch)}: {gone}")
    elif there < sent or (there > sent and not seen.repeated):
        rewind = f"./caudal generation rewind {case.name} --to-batch {batch[1] - 1} --allow-repeats"
        remedy = f"./caudal consume {topic.name} shows them; to send them again: {rewind}"
        what = f"{there} messages of it on {topic.name}, its manifest says {sent}"
        case.differ(batch_words(*batch), what, remedy)
