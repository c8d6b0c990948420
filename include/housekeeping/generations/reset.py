"""Reset: the stream starts from the beginning. Every live generation is retired, its archived files come back; the way out of a broken pairing."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from include import streams
from include.housekeeping import replay_inputs
from include.housekeeping.plan import Kept, Plan
from include.housekeeping.plan_builder import Way, begin
from include.housekeeping.refused import reprocessed
from include.kafka.offsets import Positions
from include.settings import Settings
from include.state import generations, pairing
from include.state.generations import EARLIEST
from jobs.contract.commit import checkpoint, protocol
from jobs.contract.disk import ledger
from jobs.contract.disk.layout import Layout, generation_name
from jobs.contract.errors import CaudalError, CheckpointDamaged, DataError, Refused
from jobs.contract.stream import Stream, Topic


def plan(settings: Settings, stream: Stream, now: datetime, *, allow_repeats: bool = False) -> Plan:
    """Read-only. Files back, then outputs newest first (readers see less and less), quarantine, checkpoints, then the new record.

    Raises Refused: no run yet, a Kafka sink without `allow_repeats`, files or records that could not be read again; BrokerDown.
    """
    layout = settings.layout
    current = generations.current(layout, stream.name)
    if current is None:
        raise Refused(
            "this stream has not run yet: it starts from the beginning anyway",
            stream.name,
            cli=f"./caudal run {stream.name}",
        )
    require_repeats(stream, allow_repeats)
    way = begin(layout, stream.name, "reset", current.number, now)
    _say_pairing(way, current.number)
    found = replay_inputs.positions(settings, stream)
    live = sorted({*generations.live(layout, stream.name), current.number})
    if found:
        _require_records(way, live, found)
    elif stream.upstream:
        way.said.append(
            f"generation {current.number + 1} reads all that {stream.upstream} publishes now; what was retired there is not read again"
        )
    else:
        _files_back(way, stream, live)
    _retire(way)
    way.record(EARLIEST if found else "", replay_inputs.topic_ids(found))
    way.options["allow_repeats"] = allow_repeats
    way.said += streams.told_readers(stream.name)
    way.said.append(
        f"generation {current.number + 1} starts from the beginning; readers see nothing until its first batch is published"
    )
    return way.plan(
        f"./caudal generation undo {stream.name}, until the first run of generation {current.number + 1} has planned a batch"
    )


def require_repeats(stream: Stream, allowed: bool) -> None:
    """A topic keeps what was sent: reading again sends it again. Raises Refused."""
    if isinstance(stream.sink, Topic) and not allowed:
        what = f"topic {stream.sink.name} keeps the messages that were sent; reading again sends them again"
        raise Refused(what, stream.name, cli="--allow-repeats if its readers can bear that")


def _say_pairing(way: Way, number: int) -> None:
    """A contradiction between checkpoint and output is no reason to refuse here, but must be known."""
    try:
        verdict = protocol.pairing(pairing.facts(way.layout, way.stream, number))
    except CaudalError as error:
        way.said.append(f"generation {number} cannot be read whole ({error.code}: {error.what})")
        return
    if isinstance(verdict, protocol.Refuse):
        way.said.append(
            f"checkpoint and output of generation {number} contradict each other ({verdict.rule}: {verdict.why})"
        )


def _require_records(way: Way, live: list[int], found: Positions) -> None:
    """Every record that rows were made from must still be on the topic."""
    records = {g.number: g for g in generations.records(way.layout, way.stream)}
    for number in live:
        if number in records:
            first, through = _read_range(way, number, found)
            replay_inputs.require_readable(way.layout, records[number], found, first, through)


def _read_range(way: Way, number: int, found: Positions) -> tuple[dict[str, int], dict[str, int]]:
    """(first offset, offset behind the last) of what a generation's rows came from; all of the topic where its manifests cannot tell."""
    try:
        ends = replay_inputs.ends(way.layout, way.stream, number)
    except DataError as error:
        way.said.append(
            f"what generation {number} has read cannot be told ({error.what}): all of the topic must still be there"
        )
        return {}, {str(p): end for p, end in found.end.items()}
    return (ends[0].start.get(found.topic, {}), ends[1].end.get(found.topic, {})) if ends else ({}, {})


def _files_back(way: Way, stream: Stream, live: list[int]) -> None:
    replay_inputs.require_unpurged(way.layout, stream, live)
    names = {name for number in live for name in replay_inputs.journaled(way.layout, stream.name, number)}
    told = [_add_logged(way, number, names) for number in live]
    if all(told):
        known = names
    else:
        others = {
            n
            for g in generations.numbers(way.layout, stream.name)
            if g not in live
            for n in replay_inputs.journaled(way.layout, stream.name, g)
        }
        known = names | {
            n
            for n in replay_inputs.archived(way.layout, stream.folder).keys() - others
            if ledger.parse_name(n)
        }
    copies = reprocessed.read_again(way.layout, stream, live)
    back = replay_inputs.bring_back(way, stream, known - copies.keys())
    _retire_copies(way, stream, copies)
    way.said.append(
        f"{back.moved} archived files come back to en_proceso under their exact names, {back.here} are there already"
    )
    for name, path in replay_inputs.archived(way.layout, stream.folder).items():
        if name in copies:
            way.kept.append(Kept(path, reprocessed.STAYS))
        elif name not in known:
            way.kept.append(Kept(path, "of no live generation"))


def _retire_copies(way: Way, stream: Stream, copies: Collection[str]) -> None:
    """Deliveries of reprocessed records do not come back: their records are read again where they first came from, and the marks go, too."""
    folder = way.layout.en_proceso(stream.folder)
    for name in sorted(replay_inputs.names_in(folder) & set(copies)):
        way.stage().retire(folder / name)
    if copies:
        way.said.append(
            f"{len(copies)} deliveries of reprocessed records stay out: those records are read again where they first came from"
        )


def _add_logged(way: Way, number: int, names: set[str]) -> bool:
    """Adds the files whose records are published or committed. False when the source log cannot tell: then all of archivo must do."""
    path = way.layout.checkpoint(way.stream, number)
    try:
        if number == way.number and not path.is_dir() and replay_inputs.ends(way.layout, way.stream, number):
            raise CheckpointDamaged("gone", path)
        through = _through(way.layout, way.stream, number)
        names |= {entry.name for entry in checkpoint.all_entries(path) if entry.log_offset <= through}
    except CaudalError as error:
        what = "everything in archivo that is of no other generation comes back"
        way.said.append(f"the source log of generation {number} tells nothing ({error.what}): {what}")
        return False
    return True


def _through(layout: Layout, stream: str, number: int) -> int:
    """The source's position behind the newest batch that is committed or published; -1 before the first."""
    path = layout.checkpoint(stream, number)
    state = checkpoint.read(path)
    committed = (
        checkpoint.read_offset(path, state.newest_commit).position
        if state.newest_commit in state.offsets
        else {}
    )
    ends = replay_inputs.ends(layout, stream, number)
    return max(int(committed.get("logOffset", -1)), int(ends[1].end.get("logOffset", -1)) if ends else -1)


def _retire(way: Way) -> None:
    """Outputs first: an output whose quarantine or checkpoint is gone would look like one that was never whole."""
    layout, name = way.layout, way.stream
    outputs = way.retire_all(layout.output(name, n) for n in reversed(generations.live(layout, name)))
    quarantine = layout.quarantine(name)
    refused = way.retire_all(
        quarantine / generation_name(n) for n in reversed(generations.folders(quarantine))
    )
    states = way.retire_all(
        layout.checkpoint(name, n) for n in reversed(generations.folders(layout.checkpoints(name)))
    )
    way.said.append(
        f"{outputs} outputs, {refused} quarantines and {states} checkpoints are retired to {way.relative(layout.retired(name) / way.id)}"
    )
