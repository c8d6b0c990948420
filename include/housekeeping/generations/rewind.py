"""Rewind: batches after K are taken back, so that their records are read again. Stateless streams, current generation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from include import streams
from include.housekeeping import replay_inputs
from include.housekeeping.generations.reset import require_repeats
from include.housekeeping.plan import Plan
from include.housekeeping.plan_builder import Way, begin, require
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
    """Read-only. `to_batch`: the last batch that stays, -1 for none.

    Files back first; then, each in a stage of its own and newest first, outputs (each followed by its quarantine), commits, offsets: an
    output that outlives its offset would be in the way of another batch. The source log stays: by it Spark reads exactly these files again.
    Raises Refused: a stateful stream, a broken pairing, a batch the checkpoint retains no longer, files or records that could not be read
    again, refused records that were reprocessed, a Kafka sink without `allow_repeats`; BrokerDown, CheckpointDamaged, UpstreamTakenBack.
    """
    layout = settings.layout
    current = generations.current(layout, stream.name)
    if current is None:
        raise Refused(
            "this stream has not run yet: there is nothing to take back",
            stream.name,
            cli=f"./caudal run {stream.name}",
        )
    if stream.stateful:
        what = "a stateful stream cannot be rewound: its state holds the later batches, too"
        raise Refused(what, stream.name, cli=f"./caudal generation reset {stream.name}")
    require_repeats(stream, allow_repeats)
    way = begin(layout, stream.name, "rewind", current.number, now)
    facts = pairing.facts(layout, stream.name, current.number)
    require(protocol.may_rewind(facts, to_batch), layout.checkpoint(stream.name, current.number))
    way.said += streams.told_readers(stream.name)
    if stream.folder:
        reprocessed.require_none(layout, stream, current.number, to_batch)
        _files_back(way, stream, to_batch)
    elif stream.upstream:
        upstream.unread(layout, stream, current.number)
    else:
        _require_records(settings, stream, current, facts, to_batch)
    _take_back(way, facts, to_batch)
    way.options |= {"to_batch": to_batch, "allow_repeats": allow_repeats}
    unit = "files" if stream.folder or stream.upstream else "offsets"
    return way.plan(f"none is needed: ./caudal run {stream.name} reads exactly these {unit} again")


def _files_back(way: Way, stream: Stream, keep: int) -> None:
    path = way.layout.checkpoint(way.stream, way.number)
    kept = int(checkpoint.read_offset(path, keep).position.get("logOffset", -1)) if keep >= 0 else -1
    back = replay_inputs.bring_back(
        way, stream, {entry.name for entry in checkpoint.all_entries(path, above=kept)}
    )
    way.said.append(
        f"{back.moved} archived files come back to en_proceso under their exact names, {back.here} are there already"
    )
    way.said.append("the next run reads all of them as one batch, whatever the batch limit")


def _require_records(
    settings: Settings, stream: Stream, current: Generation, facts: Facts, keep: int
) -> None:
    found, path = (
        replay_inputs.positions(settings, stream),
        settings.layout.checkpoint(stream.name, current.number),
    )
    assert found is not None, stream.name  # noqa: S101 - a stream without a folder reads a topic
    newest = max(facts.published, default=-1)
    if newest <= keep:
        return  # no row is taken back
    first = (
        checkpoint.read_offset(path, keep).position if keep >= 0 else checkpoint.initial_kafka_position(path)
    )
    through = checkpoint.read_offset(path, newest).position
    replay_inputs.require_readable(
        settings.layout, current, found, first.get(found.topic, {}), through.get(found.topic, {})
    )


def _take_back(way: Way, facts: Facts, keep: int) -> None:
    """The removals in the protocol's own order, as moves into retirado."""
    layout, name, number = way.layout, way.stream, way.number
    rows, left = 0, facts
    way.retire_all(_strays(layout.quarantine(name) / generation_name(number), facts, keep))
    while step := protocol.rewind_step(left, keep):
        kind, batch = step
        if kind == "output":
            rows += manifest.read(layout.batch(name, number, batch)).rows_out
            way.retire_all([layout.batch(name, number, batch), layout.refused_records(name, number, batch)])
        else:
            way.stage()
            for path in _log_files(layout.checkpoint(name, number) / f"{kind}s", batch):
                way.retire(path, batch)
        left = _without(left, kind)
    taken = (
        f"batches {keep + 1} to {facts.newest_offset}"
        if facts.newest_offset > keep + 1
        else f"batch {keep + 1}"
    )
    way.said.append(
        f"{taken} of generation {number}: {rows} rows are taken back, to {way.relative(layout.retired(name) / way.id)}"
    )


def _log_files(folder: Path, batch: int) -> Iterator[Path]:
    """The entry itself first: its checksum alone would be no entry."""
    yield folder / str(batch)
    if (crc := folder / f".{batch}.crc").exists():
        yield crc


def _without(facts: Facts, kind: str) -> Facts:
    if kind == "output":
        return replace(facts, published=facts.published[:-1])
    return (
        replace(facts, commits=facts.commits[:-1])
        if kind == "commit"
        else replace(facts, offsets=facts.offsets[:-1])
    )


def _strays(folder: Path, facts: Facts, keep: int) -> list[Path]:
    """Quarantine of batches that were never published: a killed attempt's. No manifest names it, so it does not count."""
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    return [
        folder / n
        for n in names
        if (b := parse_batch(n)) is not None and b > keep and b not in facts.published
    ]
