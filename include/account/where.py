"""Where is my file? Looked up by original name, admitted name, path, or the content of a local file. Reads only."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from include.intake import counting, refuse
from include.intake.types import Busy, shown
from include.state import archived, generations
from jobs.contract.commit import checkpoint, manifest
from jobs.contract.disk import ledger, storage
from jobs.contract.disk.layout import Layout
from jobs.contract.disk.ledger import Entry
from jobs.contract.stream import Stream

Place = Literal["entrada", "claimed", "en_proceso", "archivo", "cuarentena", "gone"]
WORDS: dict[Place, str] = {
    "entrada": "waits for intake",
    "claimed": "claimed by a run; the next run goes on with it",
    "en_proceso": "admitted",
    "archivo": "read, published and archived",
    "cuarentena": "refused",
    "gone": "admitted once, but in none of this home's folders now",
}


@dataclass(frozen=True)
class Found:
    """One file a question meets. `path` is empty when it is gone; `batch` of `generation`: the published one that holds its records."""

    stream: str
    place: Place
    path: str
    original_name: str
    name: str = ""
    sequence: int = 0
    admitted_at: str = ""
    records: int | None = None
    content_hash: str = ""
    reason: str = ""
    batch: int | None = None
    generation: int | None = None

    @property
    def meaning(self) -> str:
        told = "" if self.batch is None else f"batch {self.batch} of generation {self.generation}"
        if self.place == "archivo" and told:
            return f"read, published in {told} and archived"
        if self.place != "en_proceso":
            return WORDS[self.place]
        return f"{WORDS[self.place]}; " + (
            f"its records are published in {told}" if told else "in no published batch yet"
        )


@dataclass(frozen=True)
class Question:
    """`names`: original or admitted names, or a name in cuarentena; `content_hash`: of a local file of that path, else empty."""

    names: frozenset[str]
    content_hash: str = ""

    def meets(self, *names: str) -> bool:
        return not self.names.isdisjoint(names)


def question(text: str) -> Question:
    """A path counts by its last part, and by its content too when there is such a file here."""
    path = Path(text)
    content = ""
    if storage.is_regular(path):
        try:
            content = counting.content_hash(path)
        except Busy:
            content = ""
    return Question(frozenset({shown(path.name), shown(text)}), content)


def find(layout: Layout, streams: Iterable[Stream], asked: Question) -> tuple[Found, ...]:
    """Every file of these streams that the question meets, in the order of the way a file takes; empty when none does."""
    return tuple(found for stream in streams if stream.folder for found in _in_stream(layout, stream, asked))


def _in_stream(layout: Layout, stream: Stream, asked: Question) -> Iterator[Found]:
    places: tuple[tuple[Place, Path], ...] = (
        ("entrada", layout.entrada(stream.folder)),
        ("claimed", layout.claims(stream.folder)),
    )
    for place, folder in places:
        for path in _files(folder):
            if asked.meets(shown(path.name)):
                yield Found(stream.name, place, shown(str(path)), shown(path.name))
    for entry in _entries(layout, stream, asked):
        yield _placed(layout, stream, entry)
    yield from _refused(layout, stream, asked)


def _entries(layout: Layout, stream: Stream, asked: Question) -> Sequence[Entry]:
    path = layout.ledger(stream.folder)
    if not path.is_file() or path.stat().st_size == 0:
        return []
    with ledger.reader(path) as db:
        rows = [*ledger.select(db, "name", asked.names), *ledger.select(db, "original_name", asked.names)]
        if asked.content_hash:
            rows += ledger.select(db, "content_hash", [asked.content_hash])
    return sorted(set(rows), key=lambda e: e.sequence)


def _placed(layout: Layout, stream: Stream, entry: Entry) -> Found:
    found = Found(
        stream.name,
        "gone",
        "",
        entry.original_name,
        entry.name,
        entry.sequence,
        entry.admitted_at,
        entry.records,
        entry.content_hash,
    )
    visible = layout.en_proceso(stream.folder) / entry.name
    if storage.is_regular(visible):
        return _with_batch(
            replace(found, place="en_proceso", path=str(visible)), _published_in(layout, stream, entry.name)
        )
    told = archived.newest(layout, stream.name, stream.folder, entry.name)
    read = (
        (told.generation, told.batch)
        if told and told.batch >= 0
        else _published_in(layout, stream, entry.name)
    )
    path = archived.locate(layout, stream.name, stream.folder, entry)
    return _with_batch(replace(found, place="archivo", path=shown(str(path))) if path else found, read)


def _with_batch(found: Found, read: tuple[int, int] | None) -> Found:
    """`read`: (generation, batch)."""
    return replace(found, generation=read[0], batch=read[1]) if read else found


def _published_in(layout: Layout, stream: Stream, name: str) -> tuple[int, int] | None:
    """(generation, batch) of now whose positions enclose the file's entry in the source log; None while that is not published."""
    generation = generations.current(layout, stream.name)
    if generation is None:
        return None
    entries = checkpoint.all_entries(layout.checkpoint(stream.name, generation.number))
    logged = max((e.log_offset for e in entries if e.name == name), default=None)
    if logged is None:
        return None
    published = manifest.published(layout.output(stream.name, generation.number))
    numbers = list(published)
    first = bisect_left(
        numbers, logged, key=lambda n: int(manifest.read(published[n]).end.get("logOffset", -1))
    )
    return (generation.number, numbers[first]) if first < len(numbers) else None


def _refused(layout: Layout, stream: Stream, asked: Question) -> Iterator[Found]:
    for beside in sorted(_files(layout.refused_files(stream.folder))):
        if not beside.name.endswith(refuse.REASON_SUFFIX):
            continue
        path = beside.with_name(beside.name.removesuffix(refuse.REASON_SUFFIX))
        try:
            raw = {"original_name": "", "content_hash": "", "reason": "", **storage.read_json(beside)}
        except (ValueError, TypeError):  # torn: the file beside it can still be found by its own name
            raw = {"original_name": path.name, "content_hash": "", "reason": f"{beside.name} cannot be read"}
        met = asked.meets(path.name, raw["original_name"]) or (
            asked.content_hash and raw["content_hash"] == asked.content_hash
        )
        if met and storage.is_regular(path):
            yield Found(
                stream.name, "cuarentena", str(path), raw["original_name"], path.name,
                content_hash=raw["content_hash"], reason=raw["reason"],
            )  # fmt: skip


def _files(folder: Path) -> Iterator[Path]:
    """Plain files below a folder; links are not followed."""
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names if storage.is_regular(Path(parent, name)))
