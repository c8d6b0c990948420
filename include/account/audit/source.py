"""Audits what was read: Spark's source log against ledger and manifests, or a topic's offset ranges from the
start of the generation to the newest batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

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
    """Compares checkpoint and output of each live generation, as a run would. Differences that the audit of
    the batches has reported are not repeated."""
    for one in published:
        path = case.layout.checkpoint(case.name, one.generation)
        if not path.is_dir():
            purged = "its checkpoint is purged, so what it has read is not compared"
            case.unchecked(f"generation {one.generation}: {purged}")
        elif not _is_reported(case, one):
            _pair(case, one.generation)


def _is_reported(case: Case, one: Published) -> bool:
    """Whether a difference names a batch of this generation, published or the next."""
    newest = max((m.batch for m in one.manifests), default=-1)
    names = [batch_words(one.generation, batch) for batch in range(newest + 2)]
    return any(name in str(difference) for difference in case.audit.differences for name in names)


def _pair(case: Case, generation: int) -> None:
    where, show = case.layout.checkpoint(case.name, generation), f"./caudal checkpoint show {case.name}"
    try:
        verdict = protocol.pairing(pairing.facts(case.layout, case.name, generation))
    except CaudalError as error:
        case.differ(where, error.what, error.way_cli or show)
        return
    if isinstance(verdict, protocol.Refuse):
        case.differ(where, f"{verdict.why} ({verdict.rule})", show)


def files(case: Case, published: Sequence[Published], delivered: Delivered) -> dict[str, tuple[int, int]]:
    """Checks that the live generations have read each file once, that the ledger knows it, and that its batch
    accounts for its lines. Returns name -> (generation, batch)."""
    read: dict[str, tuple[int, int]] = {}
    lost: set[str] = set()
    whole = len(published) == len(generations.numbers(case.layout, case.name))
    for one in published:
        logged = _logged(case, one.generation)
        whole &= logged is not None
        if logged is not None:
            _generation(case, one, logged, delivered, read)
            end = _end(case, one)
            # these include files of batches that are gone, which are reported already
            lost.update(name for number, names in logged.items() if number <= end for name in names)
    _unread(case, read.keys() | lost, delivered, whole)
    for entry in passed_over.find(case.layout, case.stream):
        where = case.layout.en_proceso(case.stream.folder) / entry.name
        what = f"admitted at {entry.admitted_at}; a run has ended since, and no batch has read it"
        case.differ(where, what, passed_over.remedy(case.stream, entry))
    return read


def _generation(
    case: Case, one: Published, logged: Names, delivered: Delivered, read: dict[str, tuple[int, int]]
) -> None:
    asked = {m.batch for m in one.asked}
    for m in one.manifests:
        names = [name for number in _span(m) for name in logged.get(number, ())]
        _once(case, one.generation, m.batch, names, read)
        if m.batch in asked:
            _batch(case, m, names, delivered)


def _logged(case: Case, generation: int) -> Names | None:
    """The source log by log offset. None when it is purged or cannot be read; `pairs` reports that."""
    path = case.layout.checkpoint(case.name, generation)
    if not path.is_dir():
        return None
    case.tell(f"the source log of generation {generation}")
    logged: Names = {}
    try:
        for entry in checkpoint.all_entries(path):
            logged.setdefault(entry.log_offset, []).append(entry.name)
    except CaudalError as error:
        case.differ(path, f"its source log cannot be read: {error.what}", error.way_cli)
        return None
    return logged


def _end(case: Case, one: Published) -> int:
    """The source's position after the newest batch that is published or committed."""
    published = max((_log_offset(m.end) for m in one.manifests), default=-1)
    state = checkpoint.read(case.layout.checkpoint(case.name, one.generation))
    if state.newest_commit not in state.offsets:
        return published
    return max(published, _log_offset(checkpoint.read_offset(state.path, state.newest_commit).position))


def _log_offset(position: Mapping[str, Any]) -> int:
    return int(position.get("logOffset", -1))


def _span(m: Manifest) -> range:
    return range(_log_offset(m.start) + 1, _log_offset(m.end) + 1)


def _once(
    case: Case, generation: int, batch: int, names: Sequence[str], read: dict[str, tuple[int, int]]
) -> None:
    for name in names:
        if name in read:
            both = f"by {batch_words(*read[name])} and by {batch_words(generation, batch)}"
            case.differ(name, f"read twice: {both}", case.again(batch))
        read[name] = generation, batch


def _batch(case: Case, m: Manifest, names: Sequence[str], delivered: Delivered) -> None:
    if digest(sorted(names)) != m.input_digest:
        what = f"its manifest was made from other files than the {len(names)} of the source log"
        case.differ_batch(m.generation, m.batch, what)
    counts = [delivered.records(name) for name in names]
    if None in counts:
        unknown = names[counts.index(None)]
        what = f"it has read {unknown}, which the intake ledger does not know"
        case.differ_batch(m.generation, m.batch, what)
        return
    source, lines = case.stream.source, sum(count or 0 for count in counts)
    if m.headers < 0 and getattr(source, "header", False) and source.format == "csv":
        older = "is older than the count of csv header lines: lines not compared"
        case.unchecked(f"{batch_words(m.generation, m.batch)} {older}")
    elif lines != m.records_in + max(0, m.headers):
        heads = f" and {m.headers} header lines" if m.headers > 0 else ""
        what = f"{lines} lines in its {len(names)} files, its manifest says {m.records_in} records in{heads}"
        case.differ_batch(m.generation, m.batch, what)


def _unread(case: Case, read: Set[str], delivered: Delivered, complete: bool) -> None:
    """Reports files in archivo that no live generation has read, unless a generation that can no longer be
    asked may have read them."""
    never = sorted(delivered.stored & delivered.entries.keys() - read)
    if never and not complete:
        who = "one that is retired or purged may have read them"
        case.unchecked(f"{len(never)} files in archivo were read by no live generation: {who}")
        return
    for name in never:
        remedy = f"./caudal restore {case.name} --file {name} --apply brings it back, the next run reads it"
        case.differ(name, "lies in archivo, but no batch of a live generation has read it", remedy)


def offsets(case: Case, published: Sequence[Published]) -> None:
    """Checks the offset ranges of a Kafka source: they begin at the start of the generation, have no gap, and
    their digest is the manifest's."""
    records = {g.number: g for g in generations.records(case.layout, case.name)}
    for one in published:
        if one.manifests and one.manifests[0].batch == 0 and one.generation in records:
            _start(case, one.manifests[0], records[one.generation].start)
        for m in one.asked:
            for what in _range_faults(m):
                case.differ_batch(one.generation, m.batch, what)


def _start(case: Case, first: Manifest, start: str | dict[str, dict[str, int]]) -> None:
    """Compares the first batch's start with the generation's record. A start of "earliest" cannot be compared
    any more."""
    for topic, partitions in start.items() if isinstance(start, dict) else ():
        for partition, offset in partitions.items():
            began = first.start.get(topic, {}).get(partition)
            if began is not None and offset >= 0 and int(began) != int(offset):
                here = f"{topic}/{partition}/{began}"
                what = f"begins at {here}, its generation was recorded to begin at {offset}"
                case.differ_batch(first.generation, first.batch, what)


def _range_faults(m: Manifest) -> Iterator[str]:
    if m.input_digest != digest({"start": m.start, "end": m.end}):
        span = f"{canonical(m.start)} to {canonical(m.end)}"
        yield f"its manifest names other offsets than it was made from: {span}"
    for (topic, partition), (start, until) in ranges(m).items():
        name = f"{topic}/{partition}"
        if until < start:
            yield f"its range of {name} ends at {until}, before it begins at {start}"
        elif (counted := m.partitions.get(name, 0)) > until - start:
            yield f"{counted} records of {name}, its range holds {until - start} offsets"
    if m.partitions and sum(m.partitions.values()) != m.records_in:
        yield f"{m.records_in} records in, {sum(m.partitions.values())} by partition"
