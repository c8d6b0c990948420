"""Answers "where is my file?": looks it up by original name, admitted name, path, or the content of a local
file. Read-only."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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
    "claimed": "claimed by a run; the next run continues with it",
    "en_proceso": "admitted",
    "archivo": "read, published and archived",
    "cuarentena": "refused",
    "gone": "admitted once, but no longer in any folder of this home",
}


@dataclass(frozen=True)
class Found:
    """One file that matches the question. `path`: empty when the file is gone. `batch` of `generation`: the
    published one that holds its records."""

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
        batch = "" if self.batch is None else f"batch {self.batch} of generation {self.generation}"
        if self.place == "archivo" and batch:
            return f"read, published in {batch} and archived"
        if self.place != "en_proceso":
            return WORDS[self.place]
        published = f"its records are published in {batch}" if batch else "in no published batch yet"
        return f"{WORDS[self.place]}; {published}"


@dataclass(frozen=True)
class Question:
    """`names`: original or admitted names, or a name in cuarentena. `content_hash`: of the local file with
    that path, if there is one; else empty."""

    names: frozenset[str]
    content_hash: str = ""

    def meets(self, *names: str) -> bool:
        return not self.names.isdisjoint(names)


def question(text: str) -> Question:
    """The last part of a path is looked for as a name; if there is such a file on this machine, its content
    as well."""
    path = Path(text)
    content = ""
    if storage.is_regular(path):
        try:
            content = counting.content_hash(path)
        except Busy:
            content = ""
    return Question(frozenset({shown(path.name), shown(text)}), content)


def find(layout: Layout, streams: Iterable[Stream], asked: Question) -> tuple[Found, ...]:
    """Every file of these streams that matches the question, in the order of the folders a file passes
    through."""
    return tuple(found for stream in streams if stream.folder for found in _in_stream(layout, stream, asked))


def _in_stream(layout: Layout, stream: Stream, asked: Question) -> Iterator[Found]:
    for path in _files(layout.entrada(stream.folder)):
        if asked.meets(shown(path.name)):
            yield Found(stream.name, "entrada", shown(str(path)), shown(path.name))
    for path in _files(layout.claims(stream.folder)):
        if asked.meets(shown(path.name)):
            yield Found(stream.name, "claimed", shown(str(path)), shown(path.name))
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
    place: Place = "gone"
    path: Path | None = layout.en_proceso(stream.folder) / entry.name
    moved = None
    if path and storage.is_regular(path):
        place = "en_proceso"
    elif path := archived.locate(layout, stream.name, stream.folder, entry):
        place = "archivo"
    if place != "en_proceso":
        moved = archived.newest(layout, stream.name, stream.folder, entry.name)
    in_journal = (moved.generation, moved.batch) if moved and moved.batch >= 0 else None
    generation, batch = in_journal or _published_in(layout, stream, entry.name) or (None, None)
    return Found(
        stream=stream.name,
        place=place,
        path=shown(str(path)) if path else "",
        original_name=entry.original_name,
        name=entry.name,
        sequence=entry.sequence,
        admitted_at=entry.admitted_at,
        records=entry.records,
        content_hash=entry.content_hash,
        batch=batch,
        generation=generation,
    )


def _published_in(layout: Layout, stream: Stream, name: str) -> tuple[int, int] | None:
    """(generation, batch) in the current generation whose positions enclose the file's entry in the source
    log; None while that is not published."""
    generation = generations.current(layout, stream.name)
    if generation is None:
        return None
    entries = checkpoint.all_entries(layout.checkpoint(stream.name, generation.number))
    logged = max((e.log_offset for e in entries if e.name == name), default=None)
    if logged is None:
        return None
    published = manifest.published(layout.output(stream.name, generation.number))
    numbers = list(published)
    # ends grow with the batch number, so a few manifests are read instead of thousands
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
    """Regular files below a folder; links are not followed."""
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names if storage.is_regular(Path(parent, name)))
