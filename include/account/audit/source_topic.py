"""Audit of a source topic: the records a plain consumer still finds in the manifests' offset ranges, against what each batch counted."""

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

_EVERY = 50_000  # records between two words of progress
Batch = tuple[int, int]  # generation, number


@dataclass
class Ranges:
    """Batches by offset, per partition, ascending. `spans`: (first, until, batch)."""

    spans: dict[int, list[tuple[int, int, Batch]]] = field(default_factory=dict)

    @classmethod
    def of(cls, manifests: Sequence[Manifest], topic: str) -> Ranges:
        made = cls()
        for one in manifests:
            for (name, partition), (start, until) in ranges(one).items():
                if name == topic and start < until:
                    made.spans.setdefault(int(partition), []).append(
                        (start, until, (one.generation, one.batch))
                    )
        for spans in made.spans.values():
            spans.sort()
        return made

    def batch(self, partition: int, offset: int) -> Batch | None:
        """Whose range the offset lies in."""
        spans = self.spans.get(partition, [])
        position = bisect_right(spans, offset, key=lambda span: span[0]) - 1
        return spans[position][2] if position >= 0 and offset < spans[position][1] else None


def audit(case: Case, published: Sequence[Published], topic: Topic) -> None:
    """What retention, compaction or a missing broker hide is told as unchecked."""
    asked = [one for made in published for one in made.asked]
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
    gap = 0
    for one in asked:
        gap += _compare(case, topic, one, seen, positions)
    if gap:
        _explain(case, gap, seen, _count(case, topic, spans, start, end, committed=False))


def _positions(case: Case, topic: Topic) -> offsets.Positions | None:
    try:
        found = offsets.positions(case.settings, topic.name)
    except ServiceError as error:
        case.found.unchecked.append(f"topic {topic.name} was not read: {error.what}")
        return None
    known = {g.topic_ids.get(topic.name, "") for g in generations.records(case.layout, case.name)[-1:]}
    if found.topic_id and known - {"", found.topic_id}:
        case.found.unchecked.append(
            f"topic {topic.name} was deleted and made anew: what was read is no longer there"
        )
        return None
    return found


def _count(
    case: Case, topic: Topic, spans: Ranges, start: dict[int, int], end: dict[int, int], *, committed: bool
) -> Counter[tuple[Batch, int]]:
    """(batch, partition) -> records."""
    found: Counter[tuple[Batch, int]] = Counter()
    for number, record in enumerate(
        consume.between(case.settings, topic.name, start, end, committed=committed)
    ):
        if number % _EVERY == 0:
            case.tell(f"record {number + 1:,} of topic {topic.name}")
        if batch := spans.batch(record.partition, record.offset):
            found[batch, record.partition] += 1
    if committed:
        case.found.count(f"records on {topic.name}", found.total())
    return found


def _compare(
    case: Case, topic: Topic, one: Manifest, seen: Counter[tuple[Batch, int]], positions: offsets.Positions
) -> int:
    """Offsets without a record in the batch's ranges that are still there as a whole."""
    batch, gap, partly, found = (one.generation, one.batch), 0, False, 0
    for (name, partition), (start, until) in sorted(ranges(one).items()):
        number = int(partition)
        if start >= until:
            continue
        if start < positions.earliest.get(number, until):
            partly = True
            through = min(until, positions.earliest.get(number, until)) - 1
            case.found.unchecked.append(
                f"{batch_words(*batch)}: offsets {start} to {through} of {name}/{partition} are gone by retention"
            )
            continue
        records = seen[batch, number]
        found += records
        gap += until - start - records
        if one.partitions:
            _judge(
                case,
                topic,
                one,
                f"{name}/{partition} offsets {start} to {until - 1}",
                records,
                one.partitions.get(f"{name}/{partition}", 0),
            )
    if not one.partitions and not partly:
        _judge(case, topic, one, f"the offset ranges of {topic.name}", found, one.records_in)
    return gap


def _judge(case: Case, topic: Topic, one: Manifest, where: str, found: int, told: int) -> None:
    if found < told and "compact" in dict(topic.config).get("cleanup.policy", ""):
        case.found.unchecked.append(
            f"{batch_words(one.generation, one.batch)}: {where}: {told - found} records are compacted away since"
        )
    elif found != told:
        case.differ_batch(
            one.generation,
            one.batch,
            f"a plain consumer finds {found} records in {where}, the batch has counted {told}",
        )


def _explain(
    case: Case, gap: int, committed: Counter[tuple[Batch, int]], every: Counter[tuple[Batch, int]]
) -> None:
    aborted = every.total() - committed.total()
    case.found.count("offsets of aborted records", aborted)
    case.found.count("offsets of control or compacted records", gap - aborted)
