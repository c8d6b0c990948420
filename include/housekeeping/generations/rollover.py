"""Rollover: a new checkpoint that starts where the old one ended. The old output stays live; the old checkpoint stays until purge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from include.housekeeping import replay_inputs
from include.housekeeping.files import archive
from include.housekeeping.plan import Plan
from include.housekeeping.plan_builder import Way, begin, require
from include.kafka.offsets import Positions
from include.settings import Settings
from include.state import generations, pairing
from include.state.generations import EARLIEST, Generation
from jobs.contract.commit import checkpoint, protocol
from jobs.contract.commit.protocol import Facts
from jobs.contract.errors import Refused
from jobs.contract.stream import Stream

Start = str | dict[str, dict[str, int]]


def plan(
    settings: Settings, stream: Stream, now: datetime, *, drop_state: bool = False, accept_loss: bool = False
) -> Plan:
    """Read-only. Archives what is committed, then records the new generation; nothing else moves.

    Raises Refused: no run yet, a broken pairing, an open batch, a committed file that cannot be archived, a stream that reads a
    published one, a stateful stream without `drop_state`, lost Kafka offsets without `accept_loss`; BrokerDown, CheckpointDamaged.
    """
    layout = settings.layout
    current = generations.current(layout, stream.name)
    if current is None:
        raise Refused(
            "this stream has not run yet: there is no end to start from",
            stream.name,
            cli=f"./caudal run {stream.name}",
        )
    if stream.upstream:
        what = f"a new checkpoint would read again all that {stream.upstream} has published, beside the rows that stand"
        raise Refused(
            what,
            stream.name,
            cli=f"./caudal generation reset {stream.name} reads it again with the old rows out of sight",
        )
    if stream.stateful and not drop_state:
        raise Refused(
            "a new checkpoint begins without the state of the old one",
            stream.name,
            cli="--drop-state if that is meant",
        )
    way = begin(layout, stream.name, "rollover", current.number, now)
    found = replay_inputs.positions(settings, stream)
    facts = pairing.facts(layout, stream.name, current.number)
    _require(way, current, found, facts)
    _archive(way, stream, facts)
    start, ids = _start(way, current, facts.newest_offset, found, accept_loss)
    way.record(start, ids)
    way.options |= {"drop_state": drop_state, "accept_loss": accept_loss}
    way.said.append(
        f"the output of generation {current.number} stays where readers see it; its checkpoint stays until it is purged"
    )
    return way.plan(
        f"./caudal generation undo {stream.name}, until the first run of generation {current.number + 1} has planned a batch"
    )


def _require(way: Way, current: Generation, found: Positions | None, facts: Facts) -> None:
    path = way.layout.checkpoint(way.stream, current.number)
    if (
        found
        and facts.newest_offset in facts.published
        and not facts.journal
        and _cannot_run(current, found, path, facts.newest_offset)
    ):
        # its rows are out, and no run can commit it any more: the launcher refuses the topic as it is now
        facts = replace(facts, commits=tuple(sorted({*facts.commits, facts.newest_offset})))
    require(protocol.may_roll_over(facts, 0), path, _ways(way.stream, current, facts.newest_offset))


def _ways(name: str, current: Generation, newest: int) -> dict[str, str]:
    """What to do instead, for the rules that have an answer."""
    undo = f"./caudal generation undo {name}, then roll over again"
    return {
        "no-such-batch": undo
        if current.operation
        else f"./caudal run {name}; if it cannot, ./caudal generation reset {name}",
        "open-batch": f"./caudal run {name} finishes it; if it cannot, ./caudal generation rewind {name} --to-batch {newest - 1} takes it back",
    }


def _cannot_run(current: Generation, found: Positions, path: Path, newest: int) -> bool:
    return replay_inputs.recreated(current, found) or bool(dict(_lost(found, _planned(found, path, newest))))


def _planned(found: Positions, path: Path, newest: int) -> dict[str, int]:
    """Partition -> the offset up to which the newest batch reads."""
    return {
        str(p): int(offset)
        for p, offset in checkpoint.read_offset(path, newest).position.get(found.topic, {}).items()
    }


def _archive(way: Way, stream: Stream, facts: Facts) -> None:
    """A stage that archives every committed file: a new checkpoint would read it again. Raises Refused when one cannot be."""
    if not stream.folder:
        return
    found = archive.look(way.layout, stream, way.number, way.now)
    if found.wrong:
        refusal = protocol.may_roll_over(facts, len(found.wrong))
        raise Refused(
            f"{refusal.why if refusal else ''} ({found.wrong[0].reason})",
            way.layout.home / found.wrong[0].path,
        )
    way.steps += found.steps
    way.said.append(
        f"{len(found.steps)} committed files are archived; {found.waiting} that no batch has yet are for the new generation"
    )


def _start(
    way: Way, current: Generation, newest: int, found: Positions | None, accept_loss: bool
) -> tuple[Start, dict[str, str]]:
    """Where the new generation begins, said in the plan, and the topic's id now."""
    number = current.number + 1
    if found is None:
        way.said.append(f"generation {number} begins with the files that are not read yet")
        return "", {}
    if replay_inputs.recreated(current, found):
        way.said.append(
            f"topic {found.topic} was deleted and made again: generation {number} begins at the earliest record of the new one"
        )
        return EARLIEST, replay_inputs.topic_ids(found)
    start = _planned(found, way.layout.checkpoint(way.stream, current.number), newest)
    if lost := dict(_lost(found, start)):
        if not accept_loss:
            raise Refused(
                f"never read, and no longer there: {'; '.join(lost.values())}",
                found.topic,
                cli="--accept-loss goes on behind them",
            )
        way.said += [f"never read, and no longer there: {what}" for what in lost.values()]
    start = {p: _clamped(found, int(p), offset) for p, offset in start.items() if int(p) in found.end}
    way.said.append(
        f"generation {number} begins where the old one ended: {', '.join(f'{found.topic}/{p} at {o}' for p, o in sorted(start.items()))}"
    )
    return {found.topic: start}, replay_inputs.topic_ids(found)


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
