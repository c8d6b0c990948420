"""A stream's checkpoint in plain words: what was planned, committed and published, and what would run next. Read-only, no Spark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from include import generations, pairing
from jobs.contract import checkpoint, manifest, protocol
from jobs.contract.errors import CaudalError, Refused
from jobs.contract.layout import Layout
from jobs.contract.manifest import canonical
from jobs.contract.protocol import Next
from jobs.contract.stream import Stream

_SHOWN = 10


@dataclass(frozen=True)
class Batch:
    """`records_in`, `rows_out`: of its manifest, None when it is not published."""

    number: int
    end: str
    committed: bool
    published: bool
    records_in: int | None
    rows_out: int | None


@dataclass(frozen=True)
class Explained:
    """`batches`: the newest ones, oldest first. `log_files`, `log_bytes`: the source log, which grows with every file ever seen."""

    stream: str
    generation: int
    folder: Path
    query_id: str
    newest_offset: int
    newest_commit: int
    published: int
    watermark_ms: int
    log_files: int
    log_bytes: int
    next_step: str
    sound: bool
    batches: tuple[Batch, ...]


def explain(layout: Layout, stream: Stream) -> Explained:
    """Raises Refused before the stream's first run, CheckpointDamaged or DataError for what cannot be read."""
    generation = generations.current(layout, stream.name)
    if generation is None:
        raise Refused("this stream has not run yet, so there is no checkpoint", stream.name, cli=f"./caudal run {stream.name}")
    state = checkpoint.read(layout.checkpoint(stream.name, generation.number))
    published = manifest.published(layout.output(stream.name, generation.number))
    newest = checkpoint.read_offset(state.path, state.newest_offset) if state.offsets else None
    files = [f for f in checkpoint.log_files(state.path) if f.is_file()]
    words, sound = _next(layout, stream.name, generation.number)
    return Explained(
        stream=stream.name,
        generation=generation.number,
        folder=state.path,
        query_id=state.query_id or "",
        newest_offset=state.newest_offset,
        newest_commit=state.newest_commit,
        published=len(published),
        watermark_ms=newest.watermark_ms if newest else 0,
        log_files=len(files),
        log_bytes=sum(f.stat().st_size for f in files),
        next_step=words,
        sound=sound,
        batches=tuple(_batch(state, published, number) for number in state.offsets[-_SHOWN:]),
    )


def _batch(state: checkpoint.Checkpoint, published: dict[int, Path], number: int) -> Batch:
    end = canonical(checkpoint.read_offset(state.path, number).position)
    found = manifest.read(published[number]) if number in published else None
    counts = (found.records_in, found.rows_out) if found else (None, None)
    return Batch(number, end, number in state.commits, found is not None, *counts)


def _next(layout: Layout, stream: str, generation: int) -> tuple[str, bool]:
    """(what the next run would do, whether it may)."""
    try:
        verdict = protocol.pairing(pairing.facts(layout, stream, generation))
    except CaudalError as error:
        return str(error), False
    if isinstance(verdict, protocol.Refuse):
        return f"refused ({verdict.rule}): {verdict.why}", False
    words = {
        Next.FRESH: "nothing was planned yet: the next run begins with batch 0",
        Next.RERUN: f"batch {verdict.batch} is planned, but not committed: the next run does it again, from the same input",
        Next.ONWARD: f"everything planned is committed: the next run begins with batch {verdict.batch}",
        Next.REDO: "a housekeeping operation was cut short and must be finished first",
    }
    return words[verdict.step], verdict.step is not Next.REDO
