"""Rollover: a new checkpoint starts where the old one ended.

The old output stays where readers see it, and the old checkpoint stays until it is purged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from include.housekeeping import replay_inputs
from include.housekeeping.files import archive
from include.housekeeping.plan import Plan
from include.housekeeping.plan_builder import PlanBuilder, begin, require
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
    """Plans the rollover; read-only. It archives what is committed, then records the new generation.

    Raises Refused: no run yet, a broken pairing, an open batch, a committed file that cannot be archived, a
    stream that reads another stream's output, a stateful stream without `drop_state`, lost Kafka offsets
    without `accept_loss`. Raises BrokerDown, CheckpointDamaged.
    """
    layout = settings.layout
    current = generations.current(layout, stream.name)
    if current is None:
        what = "this stream has not run yet: there is no end to start from"
        raise Refused(what, stream.name, cli=f"./caudal run {stream.name}")
    _require_can_start_later(stream, drop_state)
    builder, following = begin(layout, stream.name, "rollover", current.number, now), current.number + 1
    topic = replay_inputs.positions(settings, stream)
    facts = pairing.facts(layout, stream.name, current.number)
    _require(builder, current, topic, facts)
    _archive(builder, stream, facts)
    start, topic_ids = _start(builder, current, facts.newest_offset, topic, accept_loss)
    builder.begin_generation(start, topic_ids)
    builder.options |= {"drop_state": drop_state, "accept_loss": accept_loss}
    what = f"the output of generation {current.number} stays where readers see it"
    builder.note(f"{what}; its checkpoint stays until it is purged")
    undo = f"./caudal generation undo {stream.name}"
    return builder.plan(f"{undo}, until the first run of generation {following} has planned a batch")


def _require_can_start_later(stream: Stream, drop_state: bool) -> None:
    """Raises Refused if a new checkpoint would read rows twice or lose the state."""
    if stream.upstream:
        what = f"a new checkpoint would read all that {stream.upstream} has published a second time"
        cli = f"./caudal generation reset {stream.name} reads it again and retires the old rows"
        raise Refused(what, stream.name, cli=cli)
    if stream.stateful and not drop_state:
        what = "a new checkpoint begins without the state of the old one"
        raise Refused(what, stream.name, cli="--drop-state if that is meant")


def _require(builder: PlanBuilder, current: Generation, topic: Positions | None, facts: Facts) -> None:
    path, newest = builder.layout.checkpoint(builder.stream, current.number), facts.newest_offset
    published_only = newest in facts.published and not facts.journal
    if topic and published_only and _cannot_run(current, topic, path, newest):
        # The batch's rows are published, but no run can commit it any more, because the launcher refuses
        # the topic as it is now. So the batch counts as committed.
        facts = replace(facts, commits=tuple(sorted({*facts.commits, newest})))
    require(protocol.may_roll_over(facts, 0), path, _remedies(builder.stream, current, newest))


def _remedies(name: str, current: Generation, newest: int) -> dict[str, str]:
    """The protocol's rule -> what to do instead, for the rules that have an answer."""
    run = f"./caudal run {name}"
    undo = f"./caudal generation undo {name}, then roll over again"
    reset = f"{run}; if it cannot, ./caudal generation reset {name}"
    rewind = f"./caudal generation rewind {name} --to-batch {newest - 1} takes it back"
    return {
        "no-such-batch": undo if current.operation else reset,
        "open-batch": f"{run} finishes it; if it cannot, {rewind}",
    }


def _cannot_run(current: Generation, topic: Positions, path: Path, newest: int) -> bool:
    return replay_inputs.recreated(current, topic) or bool(dict(_lost(topic, _planned(topic, path, newest))))


def _planned(topic: Positions, path: Path, newest: int) -> dict[str, int]:
    """Partition -> the offset at which the newest batch ends (exclusive)."""
    offsets = checkpoint.read_offset(path, newest).position.get(topic.topic, {})
    return {str(partition): int(offset) for partition, offset in offsets.items()}


def _archive(builder: PlanBuilder, stream: Stream, facts: Facts) -> None:
    """Archives every committed file, because a new checkpoint would read it again.

    Raises Refused when a committed file cannot be archived.
    """
    if not stream.folder:
        return
    files = archive.look(builder.layout, stream, builder.number, builder.now)
    if files.wrong:
        first, refusal = files.wrong[0], protocol.may_roll_over(facts, len(files.wrong))
        what = f"{refusal.why if refusal else ''} ({first.reason})"
        raise Refused(what, builder.layout.home / first.path)
    builder.steps += files.steps
    builder.note(
        f"{len(files.steps)} committed files are archived; "
        f"{files.waiting} that no batch has yet are for the new generation"
    )


def _start(
    builder: PlanBuilder, current: Generation, newest: int, topic: Positions | None, accept_loss: bool
) -> tuple[Start, dict[str, str]]:
    """(where the new generation begins, topic ids now). It also adds notes to the plan."""
    number = current.number + 1
    if topic is None:
        builder.note(f"generation {number} begins with the files that are not read yet")
        return "", {}
    if replay_inputs.recreated(current, topic):
        what = f"topic {topic.topic} was deleted and made again"
        builder.note(f"{what}: generation {number} begins at the earliest record of the new one")
        return EARLIEST, replay_inputs.topic_ids(topic)
    planned = _planned(topic, builder.layout.checkpoint(builder.stream, current.number), newest)
    if lost := dict(_lost(topic, planned)):
        if not accept_loss:
            what = f"never read, and no longer there: {'; '.join(lost.values())}"
            raise Refused(what, topic.topic, cli="--accept-loss goes on after them")
        builder.note(*(f"never read, and no longer there: {offsets}" for offsets in lost.values()))
    start = {p: _clamped(topic, int(p), offset) for p, offset in planned.items() if int(p) in topic.end}
    places = ", ".join(f"{topic.topic}/{p} at {offset}" for p, offset in sorted(start.items()))
    builder.note(f"generation {number} begins where the old one ended: {places}")
    return {topic.topic: start}, replay_inputs.topic_ids(topic)


def _lost(topic: Positions, start: dict[str, int]) -> Iterator[tuple[str, str]]:
    """(partition, what of it was never read and is gone)."""
    for partition, offset in start.items():
        where = f"{topic.topic}/{partition}"
        if int(partition) not in topic.end:
            yield partition, f"partition {where} is gone"
        elif offset < (earliest := topic.earliest[int(partition)]):
            yield partition, f"{where} offsets {offset} to {earliest - 1}"
        elif offset > (end := topic.end[int(partition)]):
            yield partition, f"{where} ends at {end}, read up to {offset}"


def _clamped(topic: Positions, partition: int, offset: int) -> int:
    return max(topic.earliest[partition], min(offset, topic.end[partition]))
