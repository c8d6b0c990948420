"""Archive: a file leaves en_proceso for archivo/F/<UTC day of admission> once Spark's commit log proves that its batch is done.

Proof: n = newest commit; L = the source's log offset in `offsets/n`; the file's entry in the source log is at or below L; size and content
are as the intake ledger has them. A name alone proves nothing. What is not proved stays, and the plan says why.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from include import intake
from include.housekeeping import engine
from include.housekeeping.batches import Batches
from include.housekeeping.plan import Kept, Plan
from include.intake import counting
from include.intake.types import Busy
from include.settings import Settings
from include.state import archived, generations, journal, lease, pairing
from include.state.journal import Step
from jobs.contract.commit import checkpoint, loaded, protocol
from jobs.contract.commit.durable import make_durable
from jobs.contract.commit.protocol import FileState
from jobs.contract.disk import ledger, storage
from jobs.contract.disk.layout import Layout
from jobs.contract.disk.ledger import Entry
from jobs.contract.errors import FileChanged, Refused
from jobs.contract.run.spec import new_run_id
from jobs.contract.stream import Stream

UNCOMMITTED = "planned, but its batch is not committed"


@dataclass
class Found:
    """What lies in en_proceso. `steps`: proved, in order of admission; `wrong`: a person must look; `planned`: their batch is open;
    `waiting`, `young`: how many no batch has yet, or are younger than asked."""

    steps: list[Step] = field(default_factory=list)
    wrong: list[Kept] = field(default_factory=list)
    planned: list[Kept] = field(default_factory=list)
    waiting: int = 0
    young: int = 0


def plan(settings: Settings, stream: Stream, now: datetime, min_age_s: float = 0.0) -> Plan:
    """Every file that may be archived now. Read-only; each file is read once, for its hash. No steps when nothing is proved.

    `min_age_s`: seconds since admission. Raises Refused while an operation is open, PairingBroken, CheckpointDamaged, LedgerDamaged,
    UnsafePath.
    """
    layout = settings.layout
    if cut := journal.open_operations(layout.journal(stream.name)):
        raise Refused(
            f"{cut[0].kind} {cut[0].id} was cut short and comes first",
            stream.name,
            cli=f"./caudal run {stream.name} finishes it",
        )
    current = generations.current(layout, stream.name)
    found = look(layout, stream, current.number, now, min_age_s) if current else Found()
    return Plan(
        id=new_run_id(now),
        stream=stream.name,
        kind="archive",
        generation=current.number if current else 0,
        steps=tuple(found.steps),
        summary=tuple(_summary(stream, found)),
        way_back=f"./caudal restore {stream.name} --date YYYY-MM-DD (or --file, --batch) --apply",
        kept=(*found.wrong, *found.planned),
        options={"min_age_s": min_age_s},
        planned=now.isoformat(),
    )


def look(layout: Layout, stream: Stream, generation: int, now: datetime, min_age_s: float = 0.0) -> Found:
    """Judges every file in en_proceso of a file stream; read-only. Raises as `plan`."""
    names = intake.waiting_files(layout, stream)
    if not names:
        return Found()
    folder = storage.confine(layout.home, layout.en_proceso(stream.folder))
    read = loaded.load(layout.checkpoint(stream.name, generation), names)
    pairing.check(layout, stream.name, generation, read)
    found = Found()
    done = list(_sorted_out(folder, layout, names, read.logged, read.committed, found))
    judge = _Judge(
        layout, stream, now, min_age_s, Batches(layout, stream.name, read, generation), read.logged
    )
    if done:
        judge.all(done, found)
    return found


def apply(layout: Layout, done: Plan, now: datetime) -> None:
    """Does a plan that was just made. The caller holds the stream's lease. The proof is durable before the journal, the journal before
    the first move. Raises as engine.apply."""
    if not done.steps:
        return
    with storage.disk_errors(layout.home):
        sync_proof(layout, done.stream, done.generation)
    engine.apply(layout, done.stream, done.operation(now.isoformat()), done.steps, now)


def sync_proof(layout: Layout, stream: str, generation: int) -> None:
    """Flushes what proves the generation's committed files done: newest commit and its offset, metadata, the whole source log."""
    path = layout.checkpoint(stream, generation)
    make_durable(path, checkpoint.read(path).newest_commit, checkpoint.log_files(path))


def sweep(settings: Settings, stream: Stream, now: datetime, min_age_s: float = 0.0) -> Plan:
    """Takes the lease, finishes what was cut short, then archives what is proved. Returns what it did. Raises LeaseHeld, else as `plan`, `apply`."""
    layout = settings.layout
    owner = lease.Owner(os.getpid(), new_run_id(now), now.isoformat(), "archive (housekeeping)")
    with lease.acquire(layout, stream.name, owner), storage.disk_errors(layout.home):
        engine.redo(layout, stream.name, now)
        done = plan(settings, stream, now, min_age_s)
        apply(layout, done, now)
    return done


def anything(layout: Layout, stream: Stream) -> bool:
    """Whether an admitted file lies in en_proceso at all: one look at a folder that archiving keeps short. Takes no lease."""
    folder = layout.en_proceso(stream.folder)
    if not stream.folder or not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        return any(ledger.parse_name(entry.name) for entry in entries)


def changed(done: Plan) -> FileChanged | None:
    """Names the first file that a person must look at; all others are archived by then."""
    wrong = [kept for kept in done.kept if kept.wrong]
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return FileChanged(f"{wrong[0].reason}{more}", wrong[0].path) if wrong else None


def _sorted_out(
    folder: Path,
    layout: Layout,
    names: Sequence[str],
    logged: Mapping[str, int],
    committed: int,
    found: Found,
) -> Iterator[str]:
    """Names whose batch is done; the others are counted or listed in `found`."""
    for name in names:
        match protocol.file_state(logged.get(name), committed):
            case FileState.DONE:
                yield name
            case FileState.PLANNED:
                found.planned.append(Kept(str((folder / name).relative_to(layout.home)), UNCOMMITTED))
            case FileState.WAITING:
                found.waiting += 1


@dataclass
class _Judge:
    """Compares files whose batch is done with the ledger; sees to it that their place in archivo is free."""

    layout: Layout
    stream: Stream
    now: datetime
    min_age_s: float
    batches: Batches
    logged: Mapping[str, int]
    _days: dict[str, str] = field(default_factory=dict)

    def all(self, names: Sequence[str], found: Found) -> None:
        known: set[str] = set()
        with ledger.reader(storage.confine(self.layout.home, self.layout.ledger(self.stream.folder))) as db:
            for entry in ledger.select(db, "name", names, only=1):
                known.add(entry.name)
                self._one(entry, found)
        strangers = [name for name in names if name not in known] if len(known) < len(names) else []
        found.wrong += [
            Kept(f"{self._source}/{name}", "the intake ledger does not know it", wrong=True)
            for name in strangers
        ]

    @cached_property
    def _source(self) -> str:
        return str(self.layout.en_proceso(self.stream.folder).relative_to(self.layout.home))

    @cached_property
    def _home(self) -> str:
        """As text: 200,000 files would make a million Path objects, which cost more than reading the files."""
        return str(self.layout.home)

    def _one(self, entry: Entry, found: Found) -> None:
        source = f"{self._source}/{entry.name}"
        try:
            young, target = self._is_young(entry), f"{self._day(archived.day(entry))}/{entry.name}"
        except ValueError:
            found.wrong.append(
                Kept(
                    source, f"the ledger's time of admission is none: {entry.admitted_at[:40]!r}", wrong=True
                )
            )
            return
        if young:
            found.young += 1
        elif reason := difference(f"{self._home}/{source}", entry) or self._taken(target):
            found.wrong.append(Kept(source, reason, wrong=True))
        else:
            found.steps.append(
                Step(0, "move", source, target, entry.size_bytes, self.batches.of(self.logged[entry.name]))
            )

    def _is_young(self, entry: Entry) -> bool:
        """Never without an age asked for: a clock that was set back must not hold files here."""
        if self.min_age_s <= 0:
            return False
        return (
            self.now - datetime.fromisoformat(entry.admitted_at).astimezone(UTC)
        ).total_seconds() < self.min_age_s

    def _day(self, day: str) -> str:
        """The day's folder relative to the home, looked at once. Raises UnsafePath."""
        if day not in self._days:
            folder = storage.confine(self.layout.home, self.layout.archivo(self.stream.folder) / day)
            self._days[day] = str(folder.relative_to(self.layout.home))
        return self._days[day]

    def _taken(self, target: str) -> str:
        return f"the name is taken: {target}" if os.path.lexists(f"{self._home}/{target}") else ""


def difference(path: Path | str, entry: Entry) -> str:
    """How a file differs from what was admitted, in words; empty when size and content are the same. Reads the file."""
    try:
        info = os.lstat(path)
    except FileNotFoundError:
        return "gone"
    size = info.st_size
    if not stat.S_ISREG(info.st_mode):
        return "not a regular file"
    if size != entry.size_bytes:
        return f"changed since intake: {size} bytes now, {entry.size_bytes} then"
    try:
        return (
            ""
            if counting.content_hash(path) == entry.content_hash
            else f"changed since intake: the same {size} bytes, other content"
        )
    except Busy as busy:
        return str(busy)


def _summary(stream: Stream, found: Found) -> Iterator[str]:
    if not stream.folder:
        yield "this stream reads a topic: there are no files to archive"
        return
    batches = sorted({step.batch for step in found.steps})
    span = (
        f" of batches {batches[0]} to {batches[-1]}"
        if len(batches) > 1
        else f" of batch {batches[0]}"
        if batches
        else ""
    )
    size = sum(step.size_bytes for step in found.steps)
    yield f"{len(found.steps)} files{span}, {size:,} bytes, go to archivo/{stream.folder} by their UTC day of admission"
    counts = {
        "that no batch has yet": found.waiting,
        "younger than asked": found.young,
        "of an open batch": len(found.planned),
    }
    if stay := [f"{count} {what}" for what, count in counts.items() if count]:
        yield f"files that stay: {', '.join(stay)}"
    if found.wrong:
        yield f"{len(found.wrong)} files need a look, they stay where they are"
