"""Audits a source topic: counts the records that a plain consumer still finds in the manifests' offset
ranges, and compares them with what each batch counted."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from include.account.audit.findings import Case, Published, batch_words
from include.kafka import consume, offsets
from include.state import generations
from jobs.contract.commit.manifest import Manifest
from jobs.contract.errors import ServiceError
from jobs.contract.run.account import ranges
from jobs.contract.stream import Topic

_EVERY = 50_000  # records between two lines of progress
Batch = tuple[int, int]  # generation, number


@dataclass
class Ranges:
    """Batches by offset, per partition, ascending. `spans`: (first offset, offset after the last, batch)."""

    spans: dict[int, list[tuple[int, int, Batch]]] = field(default_factory=dict)

    @classmethod
    def of(cls, manifests: Sequence[Manifest], topic: str) -> Ranges:
        by_partition = cls()
        for m in manifests:
            for (name, partition), (start, until) in ranges(m).items():
                if name == topic and start < until:
                    span = start, until, (m.generation, m.batch)
                    by_partition.spans.setdefault(int(partition), []).append(span)
        for spans in by_partition.spans.values():
            spans.sort()
        return by_partition

    def batch(self, partition: int, offset: int) -> Batch | None:
        """The batch whose range contains the offset."""
        spans = self.spans.get(partition, [])
        position = bisect_right(spans, offset, key=lambda span: span[0]) - 1
        return spans[position][2] if position >= 0 and offset < spans[position][1] else None


def audit(case: Case, published: Sequence[Published], topic: Topic) -> None:
    """What retention, compaction or a missing broker hides is listed as unchecked."""
    asked = [m for generation in published for m in generation.asked]
    spans = Ranges.of(asked, topic.name)
    if not spans.spans:
        return
    positions = _positions(case, topic)
    if positions is None:
        return
    start = {
        p: max(parts[0][0], positions.earliest[p]) for p, parts in spans.spans.items() if p in positions.end
    }
    end = {p: max(start[p], parts[-1][1]) for p, parts in spans.spans.items() if p in start}
    seen = _count(case, topic, spans, start, end, committed=True)
    gap = sum(_compare(case, topic, m, seen, positions) for m in asked)
    if gap:  # a second pass, over all records: those that only it finds were aborted
        _explain(case, gap, seen, _count(case, topic, spans, start, end, committed=False))


def _positions(case: Case, topic: Topic) -> offsets.Positions | None:
    try:
        positions = offsets.positions(case.settings, topic.name)
    except ServiceError as error:
        case.unchecked(f"topic {topic.name} was not read: {error.what}")
        return None
    known = {g.topic_ids.get(topic.name, "") for g in generations.records(case.layout, case.name)[-1:]}
    if positions.topic_id and known - {"", positions.topic_id}:
        case.unchecked(f"topic {topic.name} was deleted and created again: what was read is no longer there")
        return None
    return positions


def _count(
    case: Case, topic: Topic, spans: Ranges, start: dict[int, int], end: dict[int, int], *, committed: bool
) -> Counter[tuple[Batch, int]]:
    """(batch, partition) -> records."""
    counts: Counter[tuple[Batch, int]] = Counter()
    records = consume.between(case.settings, topic.name, start, end, committed=committed)
    for number, record in enumerate(records):
        if number % _EVERY == 0:
            case.tell(f"record {number + 1:,} of topic {topic.name}")
        if batch := spans.batch(record.partition, record.offset):
            counts[batch, record.partition] += 1
    if committed:
        case.count(f"records on {topic.name}", counts.total())
    return counts


def _compare(
    case: Case, topic: Topic, m: Manifest, seen: Counter[tuple[Batch, int]], positions: offsets.Positions
) -> int:
    """Compares the records of a batch, by partition if its manifest has that count. Returns how many offsets
    of its ranges are without a record; a range of which retention has taken a part is left out."""
    batch, gap, records, whole = (m.generation, m.batch), 0, 0, True
    for (name, number), (start, until) in sorted(ranges(m).items()):
        if start >= until:
            continue
        partition, earliest = f"{name}/{number}", positions.earliest.get(int(number), until)
        if start < earliest:
            whole = False
            span = f"offsets {start} to {min(until, earliest) - 1} of {partition}"
            case.unchecked(f"{batch_words(*batch)}: {span} are gone by retention")
            continue
        here = seen[batch, int(number)]
        records += here
        gap += until - start - here
        if m.partitions:
            where = f"{partition} offsets {start} to {until - 1}"
            _judge(case, topic, m, where, here, m.partitions.get(partition, 0))
    if whole and not m.partitions:
        _judge(case, topic, m, f"the offset ranges of {topic.name}", records, m.records_in)
    return gap


def _judge(case: Case, topic: Topic, m: Manifest, where: str, found: int, counted: int) -> None:
    if found < counted and "compact" in dict(topic.config).get("cleanup.policy", ""):
        compacted = f"{counted - found} records are compacted away since"
        case.unchecked(f"{batch_words(m.generation, m.batch)}: {where}: {compacted}")
    elif found != counted:
        what = f"a plain consumer finds {found} records in {where}, the batch has counted {counted}"
        case.differ_batch(m.generation, m.batch, what)


def _explain(
    case: Case, gap: int, committed: Counter[tuple[Batch, int]], every: Counter[tuple[Batch, int]]
) -> None:
    aborted = every.total() - committed.total()
    case.count("offsets of aborted records", aborted)
    case.count("offsets of control or compacted records", gap - aborted)
