"""Audit of a sink topic: each source record's messages stand there once, in the source partition's order, and as many as the manifests say."""

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

_EVERY = 50_000  # messages between two words of progress
_SHOWN = 10  # repeated messages that are named one by one


@dataclass
class Seen:
    """Messages of this stream's live generations. `known`: generation, source and row of each, about 200 bytes; `newest`: (sink
    partition, source partition) -> (offset, row); `beyond`: of a batch that is not published yet."""

    messages: Counter[Batch] = field(default_factory=Counter)
    known: set[tuple[str, str]] = field(default_factory=set)
    newest: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    repeated: list[tuple[str, str]] = field(default_factory=list)
    disordered: list[tuple[str, str]] = field(default_factory=list)
    beyond: int = 0


def audit(
    case: Case, published: Sequence[Published], topic: Topic, read: Mapping[str, tuple[int, int]]
) -> None:
    """`read`: of a file source, which batch has read a file."""
    if not case.stream.transactional:
        case.found.unchecked.append(
            f"messages on {topic.name} carry no source (delivery=at-least-once): they are not compared"
        )
        return
    try:
        positions = offsets.positions(case.settings, topic.name)
        end = positions.end
    except ServiceError as error:
        case.found.unchecked.append(f"topic {topic.name} was not read: {error.what}")
        return
    source = case.stream.source.name if isinstance(case.stream.source, Topic) else ""
    ranges = Ranges.of([one for made in published for one in made.manifests], source)
    seen = Seen()
    live = {str(made.generation) for made in published}
    for number, record in enumerate(consume.between(case.settings, topic.name, positions.earliest, end)):
        if number % _EVERY == 0:
            case.tell(f"message {number + 1:,} of topic {topic.name}")
        _take(case, record, live, ranges, read, seen)
    case.found.count(f"messages on {topic.name}", seen.messages.total())
    _judge(
        case,
        published,
        topic,
        seen,
        any(positions.earliest.values()) or "compact" in dict(topic.config).get("cleanup.policy", ""),
    )


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
    if (
        headers.get("caudal-stream") != case.name
        or headers.get("caudal-generation") not in live
        or not origin
    ):
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
    told = f"{source}/{position[0]}" + (f" row {position[1]}" if position[1] else "")
    identity = told, str(position[1])
    if identity in seen.known:
        seen.repeated.append((here, f"the message of {told} stands here again"))
        return
    seen.known.add(identity)
    key = record.partition, source
    if position < seen.newest.get(key, (-1, 0)):
        seen.disordered.append(
            (here, f"the message of {told} comes behind that of offset {seen.newest[key][0]}")
        )
    seen.newest[key] = max(position, seen.newest.get(key, position))


def _judge(case: Case, published: Sequence[Published], topic: Topic, seen: Seen, cut: bool) -> None:
    """`cut`: the topic no longer holds everything that was sent."""
    if journal.operations(
        case.layout.journal(case.name), "kind = 'rewind' AND finished IS NOT NULL AND undone_by = ''"
    ):
        case.found.unchecked.append(
            f"{len(seen.repeated)} messages on {topic.name} are sent again by a rewind that was told to allow it"
        )
        return
    way = "readers must read committed records; a second home with this stream on this broker, or another program, has sent it"
    for where, what in seen.repeated[:_SHOWN]:
        case.differ(where, what, way)
    if (more := len(seen.repeated) - _SHOWN) > 0:
        case.differ(topic.name, f"{more} more messages stand there again", way)
    for where, what in seen.disordered[:_SHOWN]:
        case.differ(
            where, what, "its readers see them in this order; raise the topic's partitions only between runs"
        )
    if seen.beyond:
        case.found.unchecked.append(
            f"{seen.beyond} messages on {topic.name} are of no published batch: of one that the next run publishes"
        )
    for one in (one for made in published for one in made.asked):
        _counted(case, topic, (one.generation, one.batch), one.rows_out, seen, cut)


def _counted(case: Case, topic: Topic, batch: Batch, told: int, seen: Seen, cut: bool) -> None:
    found = seen.messages[batch]
    if found < told and cut:
        case.found.unchecked.append(
            f"{batch_words(*batch)}: {told - found} of its {told} messages are gone from {topic.name} by retention"
        )
    elif found < told or (found > told and not seen.repeated):
        again = (
            f"./caudal generation rewind {case.name} --to-batch {batch[1] - 1} --allow-repeats sends again"
        )
        way = f"./caudal consume {topic.name} shows them; {again}"
        case.differ(
            batch_words(*batch), f"{found} messages of it on {topic.name}, its manifest says {told}", way
        )
