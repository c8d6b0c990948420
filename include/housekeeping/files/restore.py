"""Restore: brings archived files back to en_proceso, under their exact names, byte for byte.

Files are chosen by name, by day of admission or by batch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from include.housekeeping import apply as housekeeping
from include.housekeeping.batches import Batches
from include.housekeeping.files import archive
from include.housekeeping.plan import Kept, Plan
from include.housekeeping.plan_builder import require_finished
from include.settings import Settings
from include.state import archived, generations
from include.state.journal import Step
from jobs.contract.commit import checkpoint, loaded
from jobs.contract.disk import ledger, storage
from jobs.contract.disk.layout import Layout
from jobs.contract.disk.ledger import Entry
from jobs.contract.errors import FileChanged, Refused, UsageError
from jobs.contract.run.spec import new_run_id
from jobs.contract.stream import Stream


@dataclass(frozen=True)
class Asked:
    """Which files; exactly one of the three is given.

    `file`: original or admitted name. `day`: of admission, UTC, like `2026-11-23`. `batch`: of the current
    generation.
    """

    file: str = ""
    day: str = ""
    batch: int | None = None

    def __post_init__(self) -> None:
        if sum((bool(self.file), bool(self.day), self.batch is not None)) != 1:
            raise UsageError("one of --file, --date and --batch", "restore", cli="./caudal restore --help")
        if self.day and not _is_day(self.day):
            what = f"{self.day[:20]!r} is not a day YYYY-MM-DD"
            raise UsageError(what, "--date", cli="./caudal restore --help")

    def __str__(self) -> str:
        if self.file:
            return f"file {self.file}"
        return f"admitted on {self.day}" if self.day else f"batch {self.batch}"


def plan(settings: Settings, stream: Stream, now: datetime, asked: Asked) -> Plan:
    """Plans which files come back; read-only. Each file is read once and compared with the ledger.

    Raises Refused when nothing matches, when no match may come back (with the reason of the first), or while
    an operation is open; LedgerDamaged, CheckpointDamaged, UnsafePath.
    """
    layout = settings.layout
    current = generations.current(layout, stream.name)
    if current is None or not stream.folder:
        cli = f"there is nothing to bring back: ./caudal archive {stream.name} shows what waits"
        raise Refused("this stream has archived nothing yet", stream.name, cli=cli)
    require_finished(layout, stream.name)
    entries = _entries(layout, stream, current.number, asked)
    places = [(e, path) for e in entries if (path := archived.locate(layout, stream.name, stream.folder, e))]
    if not places:
        raise _nothing(layout, stream, asked, entries)
    known = _known(layout, stream, current.number, {entry.name for entry, _ in places})
    steps, kept = _judged(layout, stream, current.number, places, known)
    if not steps:
        more = f" (and {len(kept) - 1} more)" if len(kept) > 1 else ""
        raise Refused(f"{kept[0].reason}{more}", kept[0].path, cli="nothing was moved")
    return Plan(
        id=new_run_id(now),
        stream=stream.name,
        kind="restore",
        generation=current.number,
        steps=tuple(steps),
        summary=tuple(_summary(steps, kept)),
        way_back=f"./caudal archive {stream.name} --apply; the next run also archives committed files",
        kept=tuple(kept),
        options={"asked": str(asked)},
        planned=now.isoformat(),
    )


def apply(settings: Settings, stream: Stream, restore: Plan, now: datetime, asked: Asked) -> None:
    """Does the plan `restore` under the lease. Then it reads each file again where it now lies.

    Raises FileChanged when a file is not what was admitted; LeaseHeld; Refused when the stream has changed.
    """
    housekeeping.apply(settings, restore, lambda: plan(settings, stream, now, asked), now)
    layout = settings.layout
    names = [step.target.rpartition("/")[2] for step in restore.steps]
    with ledger.reader(layout.ledger(stream.folder)) as db:
        for entry in ledger.select(db, "name", names):
            path = layout.en_proceso(stream.folder) / entry.name
            # A file may be gone again: a run that started meanwhile archives it.
            if path.exists() and (reason := archive.difference(path, entry)):
                raise FileChanged(f"restored, but {reason}", path)


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _entries(layout: Layout, stream: Stream, generation: int, asked: Asked) -> list[Entry]:
    """The ledger's entries of matching files, archived or not, in order of admission."""
    if asked.file:
        names = [asked.file]
    elif asked.day:
        names = _names_in(storage.confine(layout.home, layout.archivo(stream.folder) / asked.day))
    else:
        names = [file.name for file in archived.of_batch(layout, stream.name, generation, asked.batch or 0)]
    with ledger.reader(layout.ledger(stream.folder)) as db:
        entries = {*ledger.select(db, "name", names)}
        if asked.file:
            entries.update(ledger.select(db, "original_name", names))
    admitted = [entry for entry in entries if ledger.parse_name(entry.name)]
    return sorted(admitted, key=lambda entry: entry.sequence)


def _nothing(layout: Layout, stream: Stream, asked: Asked, entries: Sequence[Entry]) -> Refused:
    folder = layout.en_proceso(stream.folder)
    if here := [entry for entry in entries if storage.is_regular(folder / entry.name)]:
        return Refused("it is not archived, it is there already", folder / here[0].name, cli="nothing to do")
    what, archive = f"nothing in the archive matches {asked}", layout.archivo(stream.folder)
    return Refused(what, archive, cli="./caudal where FILE says where a file is")


def _names_in(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)


def _known(layout: Layout, stream: Stream, generation: int, names: set[str]) -> dict[str, int]:
    """Name -> log offset, of the files that the current checkpoint knows. Spark does not read those again."""
    logged = checkpoint.all_entries(layout.checkpoint(stream.name, generation))
    return {entry.name: entry.log_offset for entry in logged if entry.name in names}


def _judged(
    layout: Layout,
    stream: Stream,
    generation: int,
    places: Sequence[tuple[Entry, Path]],
    known: dict[str, int],
) -> tuple[list[Step], list[Kept]]:
    steps: list[Step] = []
    kept: list[Kept] = []
    target = storage.confine(layout.home, layout.en_proceso(stream.folder))
    read = loaded.load(layout.checkpoint(stream.name, generation))
    batches = Batches(layout, stream.name, read, generation)
    for entry, path in places:
        source = storage.confine(layout.home, path)
        relative = str(source.relative_to(layout.home))
        if entry.name not in known:
            reason = f"the checkpoint of generation {generation} does not know it"
            kept.append(Kept(relative, f"{reason}: its records would be published again"))
        elif os.path.lexists(target / entry.name):
            kept.append(Kept(relative, f"the name is taken in en_proceso/{stream.folder}"))
        elif reason := archive.difference(source, entry):
            kept.append(Kept(relative, reason, wrong=True))
        else:
            goal = str((target / entry.name).relative_to(layout.home))
            steps.append(Step(0, "move", relative, goal, entry.size_bytes, batches.of(known[entry.name])))
    return steps, kept


def _summary(steps: Sequence[Step], kept: Sequence[Kept]) -> Iterator[str]:
    size_bytes = sum(step.size_bytes for step in steps)
    yield f"{len(steps)} files, {size_bytes:,} bytes, come back to en_proceso under their exact names"
    yield "Spark does not read a committed file again; the next run or archive takes those back to archivo"
    if kept:
        yield f"{len(kept)} files stay in archivo: {kept[0].reason}"
