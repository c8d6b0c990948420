"""What a stream that reads another one's output finds there: part files it has not planned yet, and whether those it has read still stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from include.state import generations, journal
from jobs.contract.commit import checkpoint, manifest, upstream
from jobs.contract.commit.upstream import Part
from jobs.contract.disk.layout import Layout, generation_name
from jobs.contract.errors import UpstreamTakenBack
from jobs.contract.stream import Stream

_SHOWN = 3


def present(layout: Layout, stream: str) -> Iterator[Part]:
    """Published part files of the live generations of `stream`. Names only: a folder read for each batch."""
    for number in generations.live(layout, stream):
        for batch, folder in manifest.published(layout.output(stream, number)).items():
            with suppress(FileNotFoundError):  # taken back meanwhile: who has read it finds it gone
                yield from (
                    Part(number, batch, entry.name)
                    for entry in folder.iterdir()
                    if entry.name.startswith(upstream.PREFIX)
                )


def read(path: Path) -> set[Part]:
    """Part files that a batch of the checkpoint at `path` was planned from."""
    newest = checkpoint.read(path).newest_offset
    if newest < 0:
        return set()
    planned = int(checkpoint.read_offset(path, newest).position.get("logOffset", -1))
    return {
        upstream.part(entry.path) for entry in checkpoint.all_entries(path) if entry.log_offset <= planned
    }


def unread(layout: Layout, stream: Stream, generation: int) -> list[Part]:
    """Part files that `stream` has still to read, oldest first. Raises UpstreamTakenBack, CheckpointDamaged."""
    seen, there = read(layout.checkpoint(stream.name, generation)), set(present(layout, stream.upstream))
    if gone := sorted(seen - there):
        _require_retired(layout, stream.upstream, gone)
    return sorted(there - seen)


def _require_retired(layout: Layout, name: str, gone: Sequence[Part]) -> None:
    """Rows of a generation that was retired by itself are history: what was made of them holds. Otherwise they are published a second time,
    or will be. Raises UpstreamTakenBack."""
    retired = _retired(layout, name)
    taken = [
        part
        for part in gone
        if not {0, part.generation} & retired or part.generation in generations.live(layout, name)
    ]
    if not taken:
        return
    named = ", ".join(
        str(part.path(layout, name).relative_to(layout.salida(name))) for part in taken[:_SHOWN]
    )
    what = f"{len(taken)} part files that this stream has read are no longer published by {name}: {named}{', …' if len(taken) > _SHOWN else ''}"
    raise UpstreamTakenBack(what, layout.salida(name) / generation_name(taken[0].generation))


def _retired(layout: Layout, name: str) -> set[int]:
    """Generations that a person retired for good, one by one; 0 stands for all."""
    done = journal.operations(layout.journal(name), "kind = 'retire' AND finished IS NOT NULL")
    return {int(operation.detail.get("retires", -1)) for operation in done if not operation.undone_by}
