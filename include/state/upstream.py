"""For a stream that reads another stream's output: which part files it has not read yet, and whether those
that it has read are still published."""

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

_SHOWN = 3  # part files in one message


def present(layout: Layout, stream: str) -> Iterator[Part]:
    """Published part files of the live generations of `stream`. It lists one folder for each batch."""
    for number in generations.live(layout, stream):
        for batch, folder in manifest.published(layout.output(stream, number)).items():
            with suppress(FileNotFoundError):  # the batch was taken back meanwhile: then it is not present
                names = [entry.name for entry in folder.iterdir() if entry.name.startswith(upstream.PREFIX)]
                yield from (Part(number, batch, name) for name in names)


def read(path: Path) -> set[Part]:
    """Part files that a planned batch of the checkpoint at `path` reads."""
    newest = checkpoint.read(path).newest_offset
    if newest < 0:
        return set()
    planned = int(checkpoint.read_offset(path, newest).position.get("logOffset", -1))
    entries = checkpoint.all_entries(path)
    return {upstream.part(entry.path) for entry in entries if entry.log_offset <= planned}


def unread(layout: Layout, stream: Stream, generation: int) -> list[Part]:
    """Part files that `stream` has not read, oldest first. Raises UpstreamTakenBack, CheckpointDamaged."""
    done, published = read(layout.checkpoint(stream.name, generation)), set(present(layout, stream.upstream))
    if gone := sorted(done - published):
        _require_retired(layout, stream.upstream, gone)
    return sorted(published - done)


def _require_retired(layout: Layout, name: str, gone: Sequence[Part]) -> None:
    """Raises UpstreamTakenBack unless all generations of the part files `gone` were retired, one by one.

    What was made from a retired generation stays valid. Rows that were taken back in any other way are
    published a second time, now or later.
    """
    retired, live = _retired(layout, name), generations.live(layout, name)
    taken = [part for part in gone if not {0, part.generation} & retired or part.generation in live]
    if not taken:
        return
    output = layout.salida(name)
    names = ", ".join(str(part.path(layout, name).relative_to(output)) for part in taken[:_SHOWN])
    more = ", …" if len(taken) > _SHOWN else ""
    what = (
        f"{len(taken)} part files that this stream has read are no longer published by {name}: {names}{more}"
    )
    raise UpstreamTakenBack(what, output / generation_name(taken[0].generation))


def _retired(layout: Layout, name: str) -> set[int]:
    """Generations that were retired and not brought back; 0 stands for all of the stream."""
    done = journal.operations(layout.journal(name), "kind = 'retire' AND finished IS NOT NULL")
    return {int(operation.detail.get("retires", -1)) for operation in done if not operation.undone_by}
