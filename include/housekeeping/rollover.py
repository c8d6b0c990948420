"""Rollover: a new checkpoint that starts where the old one ended. The old output stays live; the old checkpoint stays until purge."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from include import generations, pairing
from include.generations import EARLIEST, Generation
from include.housekeeping import past
from include.housekeeping.plan import Plan
from include.housekeeping.way import Way, begin, require
from include.kafka.offsets import Positions
from include.settings import Settings
from jobs.contract import checkpoint, ledger, protocol
from jobs.contract.errors import Refused
from jobs.contract.layout import Layout
from jobs.contract.protocol import FileState
from jobs.contract.stream import Stream

Start = str | dict[str, dict[str, int]]


def plan(settings: Settings, stream: Stream, now: datetime, *, drop_state: bool = False, accept_loss: bool = False) -> Plan:
    """Read-only. Archives what is committed, then records the new generation; nothing else moves.

    Raises Refused: no run yet, a broken pairing, an open batch, a committed file that cannot be archived, a stateful stream without
    `drop_state`, lost Kafka offsets without `accept_loss`; BrokerDown, CheckpointDamaged.
    """
    layout = settings.layout
    current = generations.current(layout, stream.name)
    if current is None:
        raise Refused("this stream has not run yet: there is no end to start from", stream.name)
    if stream.stateful and not drop_state:
        raise Refused("a new checkpoint begins without the state of the old one", stream.name, cli="--drop-state if that is meant")
    way = begin(layout, stream.name, "rollover", current.number, now)
    facts = pairing.facts(layout, stream.name, current.number)
    path = layout.checkpoint(stream.name, current.number)
    require(protocol.may_roll_over(facts, 0), path)
    _archive(way, stream, path, facts.newest_commit)
    start, ids = _start(way, current, facts.newest_offset, past.positions(settings, stream), accept_loss)
    way.record(start, ids)
    way.options |= {"drop_state": drop_state, "accept_loss": accept_loss}
    way.said.append(f"the output of generation {current.number} stays where readers see it; its checkpoint stays until it is purged")
    return way.plan(f"./caudal generation undo {stream.name}, until the first run of generation {current.number + 1} has planned a batch")


def _archive(way: Way, stream: Stream, path: Path, newest_commit: int) -> None:
    """A stage that moves every committed file out of en_proceso: a new checkpoint would read it again. Raises Refused when one must stay."""
    if not stream.folder:
        return
    folder, target = way.layout.en_proceso(stream.folder), way.layout.archivo(stream.folder) / f"{way.now:%Y-%m-%d}"
    done = sorted(_done(folder, path, newest_commit))
    if stuck := [name for name in done if not _as_admitted(way.layout, stream, folder / name)]:
        require(protocol.may_roll_over(pairing.facts(way.layout, stream.name, way.number), len(stuck)), folder / stuck[0])
    for name in done:
        way.move(folder / name, target / name, (folder / name).lstat().st_size)
    way.said.append(f"{len(done)} committed files are archived")


def _done(folder: Path, path: Path, newest_commit: int) -> Iterator[str]:
    here = past.names_in(folder)
    committed = int(checkpoint.read_offset(path, newest_commit).position.get("logOffset", -1))
    for entry in checkpoint.all_entries(path) if here else ():
        if entry.name in here and protocol.file_state(entry.log_offset, committed) is FileState.DONE:
            yield entry.name


def _as_admitted(layout: Layout, stream: Stream, path: Path) -> bool:
    known = ledger.lookup(layout.ledger(stream.folder), [path.name]).get(path.name)
    return known is not None and path.lstat().st_size == known.size_bytes


def _start(way: Way, current: Generation, newest: int, found: Positions | None, accept_loss: bool) -> tuple[Start, dict[str, str]]:
    """Where the new generation begins, said in the plan, and the topic's id now."""
    number = current.number + 1
    if found is None:
        way.said.append(f"generation {number} begins with the files that are not read yet")
        return "", {}
    if past.recreated(current, found):
        way.said.append(f"topic {found.topic} was deleted and made again: generation {number} begins at the earliest record of the new one")
        return EARLIEST, past.topic_ids(found)
    planned = checkpoint.read_offset(way.layout.checkpoint(way.stream, current.number), newest).position.get(found.topic, {})
    start = {str(p): int(offset) for p, offset in planned.items()}
    if lost := dict(_lost(found, start)):
        if not accept_loss:
            raise Refused(f"never read, and no longer there: {'; '.join(lost.values())}", found.topic, cli="--accept-loss goes on behind them")
        way.said += [f"never read, and no longer there: {what}" for what in lost.values()]
    start = {p: _clamped(found, int(p), offset) for p, offset in start.items() if int(p) in found.end}
    way.said.append(f"generation {number} begins where the old one ended: {', '.join(f'{found.topic}/{p} at {o}' for p, o in sorted(start.items()))}")
    return {found.topic: start}, past.topic_ids(found)


def _lost(found: Positions, start: dict[str, int]) -> Iterator[tuple[str, str]]:
    for partition, offset in start.items():
        where = f"{found.topic}/{partition}"
        if int(partition) not in found.end:
            yield partition, f"partition {where} is gone"
        elif offset < (earliest := found.earliest[int(partition)]):
            yield partition, f"{where} offsets {offset} to {earliest - 1}"
        elif offset > (end := found.end[int(partition)]):
            yield partition, f"{where} ends at {end}, read up to {offset}"


def _clamped(found: Positions, partition: int, offset: int) -> int:
    return max(found.earliest[partition], min(offset, found.end[partition]))
