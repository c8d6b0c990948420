"""Reset: the stream starts from the beginning.

It also repairs a stream whose checkpoint and output contradict each other.
Every live generation is retired, and the archived files of those generations come back.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from include import streams
from include.housekeeping import replay_inputs
from include.housekeeping.plan import Kept, Plan
from include.housekeeping.plan_builder import PlanBuilder, begin
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
    """Plans the reset; read-only. The order: files come back; outputs go, newest first, so that readers see
    less and less; then quarantine and checkpoints go; last, the new generation's record is written.

    Raises Refused: no run yet, a Kafka sink without `allow_repeats`, files or records that cannot be read
    again. Raises BrokerDown.
    """
    layout = settings.layout
    current = generations.current(layout, stream.name)
    if current is None:
        what = "this stream has not run yet: it starts from the beginning anyway"
        raise Refused(what, stream.name, cli=f"./caudal run {stream.name}")
    require_repeats(stream, allow_repeats)
    builder, following = begin(layout, stream.name, "reset", current.number, now), current.number + 1
    _note_pairing(builder, current.number)
    topic = replay_inputs.positions(settings, stream)
    live = sorted({*generations.live(layout, stream.name), current.number})
    if topic:
        _require_records(builder, live, topic)
    elif stream.upstream:
        source = stream.upstream
        builder.note(f"generation {following} reads what {source} publishes now, not what was retired there")
    else:
        _bring_files_back(builder, stream, live)
    _retire(builder)
    builder.begin_generation(EARLIEST if topic else "", replay_inputs.topic_ids(topic))
    builder.options["allow_repeats"] = allow_repeats
    builder.note(*streams.told_readers(stream.name))
    what = f"generation {following} starts from the beginning"
    builder.note(f"{what}; readers see nothing until its first batch is published")
    undo = f"./caudal generation undo {stream.name}"
    return builder.plan(f"{undo}, until the first run of generation {following} has planned a batch")


def require_repeats(stream: Stream, allowed: bool) -> None:
    """Raises Refused for a Kafka sink unless `allowed`: the topic keeps what was sent and gets it again."""
    if isinstance(stream.sink, Topic) and not allowed:
        what = f"topic {stream.sink.name} keeps the messages that were sent; reading again sends them again"
        raise Refused(what, stream.name, cli="--allow-repeats if its readers can bear that")


def _note_pairing(builder: PlanBuilder, number: int) -> None:
    """A contradiction between checkpoint and output is a reason to reset, and the plan mentions it."""
    try:
        verdict = protocol.pairing(pairing.facts(builder.layout, builder.stream, number))
    except CaudalError as error:
        builder.note(f"generation {number} cannot be read completely ({error.code}: {error.what})")
        return
    if isinstance(verdict, protocol.Refuse):
        what = f"checkpoint and output of generation {number} contradict each other"
        builder.note(f"{what} ({verdict.rule}: {verdict.why})")


def _require_records(builder: PlanBuilder, live: list[int], topic: Positions) -> None:
    """Every record that rows were made from must still be on the topic."""
    records = {g.number: g for g in generations.records(builder.layout, builder.stream)}
    for number in live:
        if number in records:
            first, through = _read_range(builder, number, topic)
            replay_inputs.require_readable(builder.layout, records[number], topic, first, through)


def _read_range(builder: PlanBuilder, number: int, topic: Positions) -> tuple[dict[str, int], dict[str, int]]:
    """(first offset, offset after the last) of the records that a generation's rows came from.

    The whole topic when the manifests cannot be read.
    """
    try:
        ends = replay_inputs.ends(builder.layout, builder.stream, number)
    except DataError as error:
        what = f"what generation {number} has read cannot be told ({error.what})"
        builder.note(f"{what}: the whole topic must still be there")
        return {}, {str(p): end for p, end in topic.end.items()}
    return (ends[0].start.get(topic.topic, {}), ends[1].end.get(topic.topic, {})) if ends else ({}, {})


def _bring_files_back(builder: PlanBuilder, stream: Stream, live: list[int]) -> None:
    layout = builder.layout
    replay_inputs.require_unpurged(layout, stream, live)
    names = {name for number in live for name in replay_inputs.journaled(layout, stream.name, number)}
    logs_readable = [_add_logged(builder, number, names) for number in live]
    if not all(logs_readable):
        names |= _of_no_other_generation(layout, stream, live)
    deliveries = reprocessed.read_again(layout, stream, live)
    returned = replay_inputs.bring_back(builder, stream, names - deliveries.keys())
    _retire_deliveries(builder, stream, deliveries)
    what = f"{returned.moved} archived files come back to en_proceso under their exact names"
    builder.note(f"{what}, {returned.present} are there already")
    for name, path in replay_inputs.archived(layout, stream.folder).items():
        if name in deliveries:
            builder.kept.append(Kept(path, reprocessed.STAYS))
        elif name not in names:
            builder.kept.append(Kept(path, "of no live generation"))


def _of_no_other_generation(layout: Layout, stream: Stream, live: list[int]) -> set[str]:
    """Archived files, without those that the journal assigns to a generation that is not live."""
    past = [g for g in generations.numbers(layout, stream.name) if g not in live]
    others = {name for g in past for name in replay_inputs.journaled(layout, stream.name, g)}
    candidates = replay_inputs.archived(layout, stream.folder).keys() - others
    return {name for name in candidates if ledger.parse_name(name)}


def _retire_deliveries(builder: PlanBuilder, stream: Stream, deliveries: Collection[str]) -> None:
    """Deliveries of reprocessed records do not come back: their records are read again from the file in
    which they first came, and the marks in quarantine go, too."""
    folder = builder.layout.en_proceso(stream.folder)
    for name in sorted(replay_inputs.names_in(folder) & set(deliveries)):
        builder.stage().retire(folder / name)
    if deliveries:
        what = f"{len(deliveries)} deliveries of reprocessed records stay out"
        builder.note(f"{what}: those records are read again where they first came from")


def _add_logged(builder: PlanBuilder, number: int, names: set[str]) -> bool:
    """Adds the files whose records are published or committed to `names`.

    False when the source log cannot be read; then everything in archivo must come back.
    """
    layout, stream = builder.layout, builder.stream
    path = layout.checkpoint(stream, number)
    try:
        if number == builder.number and not path.is_dir() and replay_inputs.ends(layout, stream, number):
            raise CheckpointDamaged("gone", path)
        through = _log_offset_done(layout, stream, number)
        names |= {entry.name for entry in checkpoint.all_entries(path) if entry.log_offset <= through}
    except CaudalError as error:
        what = f"the source log of generation {number} cannot be read ({error.what})"
        builder.note(f"{what}: everything in archivo that is of no other generation comes back")
        return False
    return True


def _log_offset_done(layout: Layout, stream: str, number: int) -> int:
    """The source's log offset at the end of the newest committed or published batch; -1 before the first."""
    path = layout.checkpoint(stream, number)
    state = checkpoint.read(path)
    committed = -1
    if state.newest_commit in state.offsets:
        committed = int(checkpoint.read_offset(path, state.newest_commit).position.get("logOffset", -1))
    ends = replay_inputs.ends(layout, stream, number)
    return max(committed, int(ends[1].end.get("logOffset", -1)) if ends else -1)


def _retire(builder: PlanBuilder) -> None:
    """Outputs first: without its quarantine or checkpoint, an output would look as if it never was whole."""
    layout, name = builder.layout, builder.stream
    places = {
        "outputs": layout.salida(name),
        "quarantines": layout.quarantine(name),
        "checkpoints": layout.checkpoints(name),
    }
    counts = {
        what: builder.retire_all(place / generation_name(n) for n in reversed(generations.folders(place)))
        for what, place in places.items()
    }
    outputs, quarantines, checkpoints = (f"{count} {what}" for what, count in counts.items())
    retired = builder.relative(layout.retired(name) / builder.id)
    builder.note(f"{outputs}, {quarantines} and {checkpoints} are retired to {retired}")
