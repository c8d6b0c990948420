"""Audit of what was read: Spark's source log against ledger and manifests, or a topic's offset ranges from the generation's start to the newest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from include.account import passed_over
from include.account.audit.files import Delivered
from include.account.audit.findings import Case, Published, batch_words
from include.state import generations, pairing
from jobs.contract.commit import checkpoint, protocol
from jobs.contract.commit.manifest import Manifest, canonical, digest
from jobs.contract.errors import CaudalError
from jobs.contract.run.account import ranges

Names = dict[int, list[str]]  # log offset -> admitted names


def pairs(case: Case, published: Sequence[Published]) -> None:
    """Checkpoint and output of each live generation, as a run would judge them. What the batches have told already is not said twice."""
    for one in published:
        path = case.layout.checkpoint(case.name, one.generation)
        if not path.is_dir():
            case.found.unchecked.append(
                f"generation {one.generation}: its checkpoint is purged, so what it has read is not compared"
            )
        elif not any(
            batch_words(one.generation, b) in str(d)
            for d in case.found.differences
            for b in range(_newest(one) + 2)
        ):
            _pair(case, one.generation)


def _newest(one: Published) -> int:
    return max((m.batch for m in one.manifests), default=-1)


def _pair(case: Case, generation: int) -> None:
    where, way = case.layout.checkpoint(case.name, generation), f"./caudal checkpoint show {case.name}"
    try:
        verdict = protocol.pairing(pairing.facts(case.layout, case.name, generation))
    except CaudalError as error:
        case.differ(where, error.what, error.way_cli or way)
        return
    if isinstance(verdict, protocol.Refuse):
        case.differ(where, f"{verdict.why} ({verdict.rule})", way)


def files(case: Case, published: Sequence[Published], delivered: Delivered) -> dict[str, tuple[int, int]]:
    """Every file the live generations have read, once, in the ledger, with the lines its batch accounts for. Name -> (generation, batch)."""
    read: dict[str, tuple[int, int]] = {}
    lost: set[str] = set()
    whole = len(published) == len(generations.numbers(case.layout, case.name))
    for one in published:
        logged = _logged(case, one.generation)
        whole &= logged is not None
        if logged is not None:
            _generation(case, one, logged, delivered, read)
            end = _end(case, one)
            lost.update(
                name for number, names in logged.items() if number <= end for name in names
            )  # of batches that are gone: told already
    _unread(case, read.keys() | lost, delivered, whole)
    for entry in passed_over.find(case.layout, case.stream):
        where = case.layout.en_proceso(case.stream.folder) / entry.name
        what = f"admitted at {entry.admitted_at}; a run has ended since, and no batch has read it"
        case.differ(where, what, passed_over.remedy(case.stream, entry))
    return read


def _generation(
    case: Case, one: Published, logged: Names, delivered: Delivered, read: dict[str, tuple[int, int]]
) -> None:
    asked = {made.batch for made in one.asked}
    for made in one.manifests:
        names = [name for number in _span(made) for name in logged.get(number, ())]
        _once(case, one.generation, made.batch, names, read)
        if made.batch in asked:
            _batch(case, made, names, delivered)


def _logged(case: Case, generation: int) -> Names | None:
    """The source log by log offset; None when it is purged or cannot be read, which `pairs` has told."""
    path = case.layout.checkpoint(case.name, generation)
    if not path.is_dir():
        return None
    case.tell(f"the source log of generation {generation}")
    found: Names = {}
    try:
        for entry in checkpoint.all_entries(path):
            found.setdefault(entry.log_offset, []).append(entry.name)
    except CaudalError as error:
        case.differ(path, f"its source log cannot be read: {error.what}", error.way_cli)
        return None
    return found


def _end(case: Case, one: Published) -> int:
    """The source's position behind the newest batch that is published or committed."""
    published = max((int(made.end.get("logOffset", -1)) for made in one.manifests), default=-1)
    state = checkpoint.read(case.layout.checkpoint(case.name, one.generation))
    if state.newest_commit not in state.offsets:
        return published
    return max(
        published, int(checkpoint.read_offset(state.path, state.newest_commit).position.get("logOffset", -1))
    )


def _span(made: Manifest) -> range:
    return range(int(made.start.get("logOffset", -1)) + 1, int(made.end.get("logOffset", -1)) + 1)


def _once(
    case: Case, generation: int, batch: int, names: Sequence[str], read: dict[str, tuple[int, int]]
) -> None:
    for name in names:
        if name in read:
            case.differ(
                name,
                f"read twice: by {batch_words(*read[name])} and by {batch_words(generation, batch)}",
                case.again(batch),
            )
        read[name] = generation, batch


def _batch(case: Case, made: Manifest, names: Sequence[str], delivered: Delivered) -> None:
    if digest(sorted(names)) != made.input_digest:
        case.differ_batch(
            made.generation,
            made.batch,
            f"its manifest was made from other files than the {len(names)} of the source log",
        )
    counts = [delivered.records(name) for name in names]
    if None in counts:
        case.differ_batch(
            made.generation,
            made.batch,
            f"it has read {names[counts.index(None)]}, which the intake ledger does not know",
        )
        return
    lines = sum(count or 0 for count in counts)
    if (
        made.headers < 0
        and getattr(case.stream.source, "header", False)
        and case.stream.source.format == "csv"
    ):
        case.found.unchecked.append(
            f"{batch_words(made.generation, made.batch)} is older than the count of csv header lines: lines not compared"
        )
    elif lines != made.records_in + max(0, made.headers):
        heads = f" and {made.headers} header lines" if made.headers > 0 else ""
        what = (
            f"{lines} lines in its {len(names)} files, its manifest says {made.records_in} records in{heads}"
        )
        case.differ_batch(made.generation, made.batch, what)


def _unread(case: Case, read: Set[str], delivered: Delivered, complete: bool) -> None:
    """What lies in archivo was read by a live generation, unless there are others that cannot be asked any more."""
    never = sorted(delivered.stored & delivered.entries.keys() - read)
    if never and not complete:
        case.found.unchecked.append(
            f"{len(never)} files in archivo were read by no live generation: by one that is retired or purged, if by any"
        )
        return
    for name in never:
        way = f"./caudal restore {case.name} --file {name} --apply brings it back, the next run reads it"
        case.differ(name, "lies in archivo, but no batch of a live generation has read it", way)


def offsets(case: Case, published: Sequence[Published]) -> None:
    """Offset ranges of a Kafka source: from each generation's start on without a gap, and its digest as its manifest says."""
    records = {g.number: g for g in generations.records(case.layout, case.name)}
    for one in published:
        if one.manifests and one.manifests[0].batch == 0 and one.generation in records:
            _start(case, one.manifests[0], records[one.generation].start)
        for made in one.asked:
            for what in _range_faults(made):
                case.differ_batch(one.generation, made.batch, what)


def _start(case: Case, first: Manifest, start: str | dict[str, dict[str, int]]) -> None:
    """The record's partitions; "earliest" cannot be compared any more."""
    for topic, partitions in start.items() if isinstance(start, dict) else ():
        for partition, offset in partitions.items():
            found = first.start.get(topic, {}).get(partition)
            if found is not None and offset >= 0 and int(found) != int(offset):
                what = (
                    f"begins at {topic}/{partition}/{found}, its generation was recorded to begin at {offset}"
                )
                case.differ_batch(first.generation, first.batch, what)


def _range_faults(made: Manifest) -> Iterator[str]:
    if made.input_digest != digest({"start": made.start, "end": made.end}):
        yield f"its manifest names other offsets than it was made from: {canonical(made.start)} to {canonical(made.end)}"
    for (topic, partition), (start, until) in ranges(made).items():
        name = f"{topic}/{partition}"
        if until < start:
            yield f"its range of {name} ends at {until}, before it begins at {start}"
        elif (counted := made.partitions.get(name, 0)) > until - start:
            yield f"{counted} records of {name}, its range holds {until - start} offsets"
    if made.partitions and sum(made.partitions.values()) != made.records_in:
        yield f"{made.records_in} records in, {sum(made.partitions.values())} by partition"
