"""Explains a stream's checkpoint in plain words: what was planned, committed and published, and how large it
has grown. Read-only, without Spark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.state import generations, growth, pairing
from include.state.generations import Generation
from include.state.growth import Growth
from jobs.contract.commit import batch_plan, checkpoint, manifest, protocol
from jobs.contract.commit.manifest import canonical
from jobs.contract.commit.protocol import Next, Proceed
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import CaudalError, Refused
from jobs.contract.stream import Stream

_SHOWN = 10  # batches in one explanation: a screen of them


@dataclass(frozen=True)
class Batch:
    """`end`: the source's position at the end of the batch, as JSON. `records_in`, `rows_out`: from its
    manifest, None when it is not published."""

    number: int
    end: str
    committed: bool
    published: bool
    records_in: int | None
    rows_out: int | None


@dataclass(frozen=True)
class Explained:
    """`batches`: the newest ones, oldest first. `next_step`: what the next run would do, in words. `sound`:
    whether it may.

    `outgrown`: a sentence for each limit of the row that is exceeded. `days_left`: days until the first one
    is; None when that cannot be known.
    """

    stream: str
    generation: int
    created: str
    folder: Path
    query_id: str
    newest_offset: int
    newest_commit: int
    published: int
    watermark_ms: int
    growth: Growth
    outgrown: tuple[str, ...]
    days_left: float | None
    next_step: str
    sound: bool
    batches: tuple[Batch, ...]


def explain(layout: Layout, stream: Stream, now: datetime) -> Explained:
    """Raises Refused before the stream's first run, CheckpointDamaged or DataError for what cannot be
    read."""
    generation = current(layout, stream)
    state = checkpoint.read(layout.checkpoint(stream.name, generation.number))
    published = manifest.published(layout.output(stream.name, generation.number))
    newest = checkpoint.read_offset(state.path, state.newest_offset) if state.offsets else None
    grown = growth.measure(state, stream)
    words, sound = _next(layout, stream, generation.number)
    return Explained(
        stream=stream.name,
        generation=generation.number,
        created=generation.created,
        folder=state.path,
        query_id=state.query_id or "",
        newest_offset=state.newest_offset,
        newest_commit=state.newest_commit,
        published=len(published),
        watermark_ms=newest.watermark_ms if newest else 0,
        growth=grown,
        outgrown=growth.outgrown(grown, stream.upkeep),
        days_left=growth.days_left(grown, stream.upkeep, _time(generation, now), now),
        next_step=words,
        sound=sound,
        batches=tuple(_batch(state, published, number) for number in state.offsets[-_SHOWN:]),
    )


def current(layout: Layout, stream: Stream) -> Generation:
    """The stream's current generation. Raises Refused before its first run."""
    generation = generations.current(layout, stream.name)
    if generation is None:
        what = "this stream has not run yet, so there is no checkpoint"
        raise Refused(what, stream.name, cli=f"./caudal run {stream.name}")
    return generation


def _time(generation: Generation, now: datetime) -> datetime:
    """When it was created. `now` if the record does not have the time; then nothing is known about the pace
    of growth."""
    try:
        created = datetime.fromisoformat(generation.created)
    except ValueError:
        return now
    return created if created.tzinfo else created.replace(tzinfo=UTC)


def _batch(state: checkpoint.Checkpoint, published: dict[int, Path], number: int) -> Batch:
    end = canonical(checkpoint.read_offset(state.path, number).position)
    done = manifest.read(published[number]) if number in published else None
    counts = (done.records_in, done.rows_out) if done else (None, None)
    return Batch(number, end, number in state.commits, done is not None, *counts)


def _next(layout: Layout, stream: Stream, generation: int) -> tuple[str, bool]:
    """(what the next run would do, whether it may)."""
    try:
        verdict = protocol.pairing(pairing.facts(layout, stream.name, generation))
        if isinstance(verdict, protocol.Refuse):
            return f"refused ({verdict.rule}): {verdict.why}", False
        return _words(layout.checkpoint(stream.name, generation), verdict), True
    except CaudalError as error:
        return str(error), False


def _words(path: Path, verdict: Proceed) -> str:
    if verdict.step is Next.RERUN:
        planned = f"batch {verdict.batch} is planned ({_input(path, verdict.batch)}), but not committed"
        return f"{planned}: the next run does it again"
    words = {
        Next.FRESH: "nothing was planned yet: the next run begins with batch 0",
        Next.ONWARD: f"everything planned is committed: the next run begins with batch {verdict.batch}",
        Next.REDO: "a housekeeping operation was cut short: the next run, or the next housekeeping, "
        "finishes it first",
    }
    return words[verdict.step]


def _input(path: Path, batch: int) -> str:
    """The input that a batch was planned from."""
    plan = batch_plan.read(path, batch, "")
    if plan.files:
        return f"{_count(len(plan.files), 'file')}, first {plan.files[0].name}"
    offsets = sum(end - start for start, end in plan.ranges().values())
    return f"{_count(offsets, 'offset')} of {', '.join(plan.end)}"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def position_words(position: dict[str, Any]) -> str:
    """A source's position in words: `source log 7`, or `facturas 0:3 1:4` (topic, partition:next offset)."""
    if not position:
        return "nothing yet"
    if "logOffset" in position:
        return f"source log {position['logOffset']}"
    return "; ".join(
        f"{topic} {' '.join(f'{p}:{o}' for p, o in sorted(parts.items(), key=_partition))}"
        for topic, parts in position.items()
    )


def _partition(item: tuple[str, Any]) -> int:
    # partitions are keys of a JSON object, so text: "10" must come after "9"
    return int(item[0]) if item[0].isdigit() else -1
