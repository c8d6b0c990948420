"""From a stream to its RunSpec and what is waiting for it. Read-only: intake has happened and the generation
is known. The launcher carries the plan out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from include.kafka import connection, offsets
from include.launch import waiting
from include.settings import Settings
from include.state import journal, pairing
from include.state.generations import EARLIEST, Generation
from jobs.contract.commit import loaded
from jobs.contract.commit.protocol import Next
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import CaudalError, PairingBroken
from jobs.contract.run import admitted, report
from jobs.contract.run.spec import RunSpec
from jobs.contract.stream import Stream, Topic

_BROKER_S = 5.0  # a broker on this machine answers in milliseconds; a run should not wait long for a dead one
_EARLIEST_OFFSET = -2  # means "earliest" in Spark's startingOffsets


@dataclass(frozen=True)
class Plan:
    """What a run would do. When nothing is waiting, Spark does not start."""

    spec: RunSpec
    waiting: waiting.Waiting


def positions(settings: Settings, stream: Stream) -> offsets.Positions | None:
    """Positions of the source topic now; None when the source is not a topic. Raises BrokerDown,
    TopicMissing."""
    return (
        offsets.positions(settings, stream.source.name, _BROKER_S)
        if isinstance(stream.source, Topic)
        else None
    )


def first_generation(stream: Stream, positions: offsets.Positions | None, now: datetime) -> Generation:
    """The record of the stream's first generation."""
    topic_ids = {positions.topic: positions.topic_id} if positions else {}
    return Generation(stream.name, 1, 0, EARLIEST if positions else "", topic_ids, now.isoformat())


def make(
    settings: Settings, spec: RunSpec, generation: Generation, positions: offsets.Positions | None
) -> Plan:
    """Checks the pairing, then looks at what is waiting. Raises PairingBroken, CheckpointDamaged,
    TopicRecreated, OffsetsLost, UpstreamTakenBack."""
    ahead = look(settings.layout, spec.stream, generation, positions, spec.close_windows)
    warnings = (*spec.warnings, *_undecided(ahead, positions))
    return Plan(replace(spec, start=start(generation, positions), warnings=warnings), ahead)


def _undecided(ahead: waiting.Waiting, positions: offsets.Positions | None) -> list[str]:
    """A warning when offsets are behind an open transaction. The first run after its end reads them; the
    producer or the transaction's time limit ends it."""
    if not (positions and ahead.undecided):
        return []
    open_ = [p for p, end in sorted(positions.end.items()) if positions.decided.get(p, end) < end]
    stopped = ", ".join(f"{p} at {positions.decided[p]}" for p in open_)
    what = (
        f"{ahead.undecided} offsets of {positions.topic} lie behind an open transaction (partition {stopped})"
    )
    return [f"{what}; a later run reads them"]


def start(generation: Generation, positions: offsets.Positions | None) -> str | dict[str, dict[str, int]]:
    """The start in the generation's record, with every partition there is now, because Spark wants them all.
    A partition added since then starts at its earliest record."""
    if positions is None or isinstance(generation.start, str):
        return generation.start
    known = generation.start.get(positions.topic, {})
    return {positions.topic: {str(p): known.get(str(p), _EARLIEST_OFFSET) for p in sorted(positions.end)}}


def look(
    layout: Layout,
    stream: Stream,
    generation: Generation,
    positions: offsets.Positions | None,
    close: bool = False,
) -> waiting.Waiting:
    """As `make`, for no run in particular: what the next run would find in en_proceso, on the topic, or in
    the output of the upstream stream."""
    here = admitted.names(layout, stream.folder)
    read = loaded.load(layout.checkpoint(stream.name, generation.number), here)
    paired = pairing.check(layout, stream.name, generation.number, read)
    if paired.step is Next.REDO:
        what = "a housekeeping operation was cut short and must be finished first"
        where = layout.checkpoint(stream.name, generation.number)
        raise PairingBroken(what, where, cli=f"./caudal run {stream.name} finishes it")
    if positions:
        return waiting.topic(positions, read, generation, paired)
    if stream.upstream:
        return waiting.published(layout, stream, generation.number, paired, close)
    return waiting.files(layout, stream, read, paired)


def spec(
    settings: Settings,
    stream: Stream,
    generation: Generation,
    run_id: str,
    airflow_run_id: str,
    now: datetime,
    close_windows: bool = False,
) -> RunSpec:
    """All that the Spark side needs to know. Raises BrokerDown when a topic is involved and no broker is
    known."""
    return RunSpec(
        stream=stream,
        run_id=run_id,
        airflow_run_id=airflow_run_id,
        started=now.isoformat(),
        home=str(settings.home),
        generation=generation.number,
        start=generation.start,
        reported_through=reported_through(settings.layout, stream.name, generation.number),
        bootstrap=connection.bootstrap(settings) if stream.topics else "",
        kafka_properties=str(settings.kafka_properties or ""),
        close_windows=close_windows or stream.close_windows == "end-of-run",
        source_id=generation.topic_ids.get(stream.source.name, "")
        if isinstance(stream.source, Topic)
        else "",
        rewinds=len([op for op in _rewinds(settings.layout, stream.name, generation.number) if op.finished]),
    )


def reported_through(layout: Layout, stream: str, generation: int) -> int:
    """The newest batch of this generation that a finished report covers; -1 for none.

    A report that cannot be read is skipped: its batches are then reported twice, but never left out. Batches
    that a rewind has taken back are reported again when they are published again.
    """
    taken_back = [(op.id, int(op.detail["to_batch"])) for op in _rewinds(layout, stream, generation)]
    for path in report.newest(layout.runs(stream)):
        try:
            earlier = report.read(path)
        except CaudalError:
            continue
        if earlier and earlier.generation == generation and earlier.status in ("done", "failed", "idle"):
            return min([earlier.last_batch, *(kept for id_, kept in taken_back if id_ > earlier.run_id)])
    return -1


def _rewinds(layout: Layout, stream: str, generation: int) -> list[journal.Operation]:
    return journal.operations(layout.journal(stream), "kind = 'rewind' AND generation = ?", (generation,))
