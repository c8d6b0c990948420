"""Stream -> RunSpec and what is waiting. Read-only: intake has happened, the generation is given; the launcher applies it."""

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

_BROKER_S = 5.0
_EARLIEST_OFFSET = -2  # Spark's word for it in startingOffsets


@dataclass(frozen=True)
class Plan:
    """What a run would do. Nothing waiting means that Spark does not start."""

    spec: RunSpec
    waiting: waiting.Waiting


def positions(settings: Settings, stream: Stream) -> offsets.Positions | None:
    """Of the source topic, now; None for a file source. Raises BrokerDown, TopicMissing."""
    return (
        offsets.positions(settings, stream.source.name, _BROKER_S)
        if isinstance(stream.source, Topic)
        else None
    )


def first_generation(stream: Stream, found: offsets.Positions | None, now: datetime) -> Generation:
    """What the stream's first generation will be recorded as."""
    topic_ids = {found.topic: found.topic_id} if found else {}
    return Generation(stream.name, 1, 0, EARLIEST if found else "", topic_ids, now.isoformat())


def make(settings: Settings, spec: RunSpec, generation: Generation, found: offsets.Positions | None) -> Plan:
    """Pairing check, then what is waiting. Raises PairingBroken, CheckpointDamaged, TopicRecreated, OffsetsLost, UpstreamTakenBack."""
    looked = look(settings.layout, spec.stream, generation, found, spec.close_windows)
    return Plan(
        replace(spec, start=start(generation, found), warnings=(*spec.warnings, *_undecided(looked, found))),
        looked,
    )


def _undecided(looked: waiting.Waiting, found: offsets.Positions | None) -> list[str]:
    """What waits behind an open transaction is read by the first run after its end: by its producer, or by its time limit."""
    if not (found and looked.undecided):
        return []
    stopped = ", ".join(
        f"{p} at {found.decided[p]}"
        for p in sorted(found.end)
        if found.decided.get(p, found.end[p]) < found.end[p]
    )
    what = f"{looked.undecided} offsets of {found.topic} lie behind a transaction that is not decided yet (partition {stopped})"
    return [f"{what}; a later run reads them"]


def start(generation: Generation, found: offsets.Positions | None) -> str | dict[str, dict[str, int]]:
    """The record's start, with every partition of now: Spark wants them all. One made since the record begins at its earliest record."""
    if found is None or isinstance(generation.start, str):
        return generation.start
    known = generation.start.get(found.topic, {})
    return {found.topic: {str(p): known.get(str(p), _EARLIEST_OFFSET) for p in sorted(found.end)}}


def look(
    layout: Layout,
    stream: Stream,
    generation: Generation,
    found: offsets.Positions | None,
    close: bool = False,
) -> waiting.Waiting:
    """As `make`, without a run: what the next one would find in en_proceso, on the topic or among what the other stream has published."""
    here = admitted.names(layout, stream.folder)
    read = loaded.load(layout.checkpoint(stream.name, generation.number), here)
    paired = pairing.check(layout, stream.name, generation.number, read)
    if paired.step is Next.REDO:
        where, way = (
            layout.checkpoint(stream.name, generation.number),
            f"./caudal run {stream.name} finishes it",
        )
        raise PairingBroken(
            "a housekeeping operation was cut short and must be finished first", where, cli=way
        )
    if found:
        return waiting.topic(found, read, generation, paired)
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
    """All the Spark side is told. Raises BrokerDown when a topic is involved and no broker is known."""
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
    """Newest batch of this generation that a finished report covers; -1 for none. A report that cannot be read is passed over: its batches
    are then reported again, never left out. Batches that a rewind has taken back since are reported again when they come again."""
    taken_back = [(op.id, int(op.detail["to_batch"])) for op in _rewinds(layout, stream, generation)]
    for path in report.newest(layout.runs(stream)):
        try:
            found = report.read(path)
        except CaudalError:
            continue
        if found and found.generation == generation and found.status in ("done", "failed", "idle"):
            return min([found.last_batch, *(kept for id_, kept in taken_back if id_ > found.run_id)])
    return -1


def _rewinds(layout: Layout, stream: str, generation: int) -> list[journal.Operation]:
    return journal.operations(layout.journal(stream), "kind = 'rewind' AND generation = ?", (generation,))
