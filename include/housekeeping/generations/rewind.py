"""Rewind: takes back the batches after K, so that their records are read again.

It works for stateless streams and the current generation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from include import streams
from include.housekeeping import replay_inputs
from include.housekeeping.generations.reset import require_repeats
from include.housekeeping.plan import Plan
from include.housekeeping.plan_builder import PlanBuilder, begin, require
from include.housekeeping.refused import reprocessed
from include.settings import Settings
from include.state import generations, pairing, upstream
from include.state.generations import Generation
from jobs.contract.commit import checkpoint, manifest, protocol
from jobs.contract.commit.protocol import Facts
from jobs.contract.disk.layout import generation_name, parse_batch
from jobs.contract.errors import Refused
from jobs.contract.stream import Stream


def plan(
    settings: Settings, stream: Stream, now: datetime, *, to_batch: int, allow_repeats: bool = False
) -> Plan:
    """Plans the rewind; read-only. `to_batch`: the last batch that stays, -1 for none.

    Files come back first. Then outputs (each followed by its quarantine), commits and offsets go, newest
    first, each in a stage of its own: an output that outlives its offset would block another batch. The
    source log stays, so that Spark reads exactly these files again.

    Raises Refused: no run yet, a stateful stream, a broken pairing, a batch that the checkpoint no longer
    has, files or records that cannot be read again, refused records that were reprocessed, a Kafka sink
    without `allow_repeats`. Raises BrokerDown, CheckpointDamaged, UpstreamTakenBack.
    """
    layout = settings.layout
    current = generations.current(layout, stream.name)
    if current is None:
        what = "this stream has not run yet: there is nothing to take back"
        raise Refused(what, stream.name, cli=f"./caudal run {stream.name}")
    if stream.stateful:
        what = "a stateful stream cannot be rewound: its state holds the later batches, too"
        raise Refused(what, stream.name, cli=f"./caudal generation reset {stream.name}")
    require_repeats(stream, allow_repeats)
    builder = begin(layout, stream.name, "rewind", current.number, now)
    facts = pairing.facts(layout, stream.name, current.number)
    require(protocol.may_rewind(facts, to_batch), layout.checkpoint(stream.name, current.number))
    builder.note(*streams.told_readers(stream.name))
    if stream.folder:
        reprocessed.require_none(layout, stream, current.number, to_batch)
        _bring_files_back(builder, stream, to_batch)
    elif stream.upstream:
        upstream.unread(layout, stream, current.number)
    else:
        _require_records(settings, stream, current, facts, to_batch)
    _take_back(builder, facts, to_batch)
    builder.options |= {"to_batch": to_batch, "allow_repeats": allow_repeats}
    unit = "files" if stream.folder or stream.upstream else "offsets"
    return builder.plan(f"none is needed: ./caudal run {stream.name} reads exactly these {unit} again")


def _bring_files_back(builder: PlanBuilder, stream: Stream, keep: int) -> None:
    path = builder.layout.checkpoint(builder.stream, builder.number)
    kept = int(checkpoint.read_offset(path, keep).position.get("logOffset", -1)) if keep >= 0 else -1
    names = {entry.name for entry in checkpoint.all_entries(path, above=kept)}
    returned = replay_inputs.bring_back(builder, stream, names)
    what = f"{returned.moved} archived files come back to en_proceso under their exact names"
    builder.note(f"{what}, {returned.present} are there already")
    builder.note("the next run reads all of them as one batch, whatever the batch limit")


def _require_records(
    settings: Settings, stream: Stream, current: Generation, facts: Facts, keep: int
) -> None:
    topic = replay_inputs.positions(settings, stream)
    path = settings.layout.checkpoint(stream.name, current.number)
    assert topic is not None, stream.name  # noqa: S101 - a stream without a folder reads a topic
    newest = max(facts.published, default=-1)
    if newest <= keep:
        return  # no row is taken back
    initial = checkpoint.initial_kafka_position
    first = checkpoint.read_offset(path, keep).position if keep >= 0 else initial(path)
    through = checkpoint.read_offset(path, newest).position
    name = topic.topic
    replay_inputs.require_readable(
        settings.layout, current, topic, first.get(name, {}), through.get(name, {})
    )


def _take_back(builder: PlanBuilder, facts: Facts, keep: int) -> None:
    """Adds the removals in the order that the protocol gives, as moves into retirado."""
    layout, name, number = builder.layout, builder.stream, builder.number
    rows, left = 0, facts
    builder.retire_all(_strays(layout.quarantine(name) / generation_name(number), facts, keep))
    while step := protocol.rewind_step(left, keep):
        kind, batch = step
        if kind == "output":
            rows += manifest.read(layout.batch(name, number, batch)).rows_out
            builder.retire_all(
                [layout.batch(name, number, batch), layout.refused_records(name, number, batch)]
            )
        else:
            builder.stage()
            for path in _log_files(layout.checkpoint(name, number) / f"{kind}s", batch):
                builder.retire(path, batch)
        left = _without(left, kind)
    several = facts.newest_offset > keep + 1
    taken = f"batches {keep + 1} to {facts.newest_offset}" if several else f"batch {keep + 1}"
    retired = builder.relative(layout.retired(name) / builder.id)
    builder.note(f"{taken} of generation {number}: {rows} rows are taken back, to {retired}")


def _log_files(folder: Path, batch: int) -> Iterator[Path]:
    """The entry first, then its checksum: a checksum alone is not an entry."""
    yield folder / str(batch)
    if (crc := folder / f".{batch}.crc").exists():
        yield crc


def _without(facts: Facts, kind: str) -> Facts:
    if kind == "output":
        return replace(facts, published=facts.published[:-1])
    if kind == "commit":
        return replace(facts, commits=facts.commits[:-1])
    return replace(facts, offsets=facts.offsets[:-1])


def _strays(folder: Path, facts: Facts, keep: int) -> list[Path]:
    """Quarantine of batches that were never published. No manifest names it, so it does not count."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    batches = {path: number for path in paths if (number := parse_batch(path.name)) is not None}
    return [path for path, number in batches.items() if number > keep and number not in facts.published]
