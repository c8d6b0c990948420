"""Archive: moves a file from en_proceso to archivo/F/<UTC day of admission> when its batch is proved done.

The proof has two parts. First, Spark's commit log: let n be the newest commit and L the source's log offset
in `offsets/n`; then the file's entry in the source log is at or below L. Second, the intake ledger: size and
content are still as they were admitted. What is not proved stays, and the plan says why.
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
from include.housekeeping.plan_builder import require_finished
from include.intake import counting
from include.intake.types import Busy
from include.settings import Settings
from include.state import archived, generations, lease, pairing
from include.state.journal import Step
from jobs.contract.commit import checkpoint, loaded, protocol
from jobs.contract.commit.durable import make_durable
from jobs.contract.commit.loaded import LoadedCheckpoint
from jobs.contract.commit.protocol import FileState
from jobs.contract.disk import ledger, storage
from jobs.contract.disk.layout import Layout
from jobs.contract.disk.ledger import Entry
from jobs.contract.errors import FileChanged
from jobs.contract.run.spec import new_run_id
from jobs.contract.stream import Stream

UNCOMMITTED = "planned, but its batch is not committed"


@dataclass
class Judgement:
    """What happens to each file in en_proceso.

    `steps`: the moves of proved files, in order of admission. `wrong`: a person must look at them.
    `planned`: their batch is open. `waiting`: how many are in no batch yet. `young`: how many are younger
    than the minimum age.
    """

    steps: list[Step] = field(default_factory=list)
    wrong: list[Kept] = field(default_factory=list)
    planned: list[Kept] = field(default_factory=list)
    waiting: int = 0
    young: int = 0


def plan(settings: Settings, stream: Stream, now: datetime, min_age_s: float = 0.0) -> Plan:
    """Plans the archiving of every proved file; read-only. Each file is read once, for its hash.

    `min_age_s`: seconds since admission. Raises Refused while an operation is open; PairingBroken,
    CheckpointDamaged, LedgerDamaged, UnsafePath.
    """
    layout = settings.layout
    require_finished(layout, stream.name)
    current = generations.current(layout, stream.name)
    files = look(layout, stream, current.number, now, min_age_s) if current else Judgement()
    return Plan(
        id=new_run_id(now),
        stream=stream.name,
        kind="archive",
        generation=current.number if current else 0,
        steps=tuple(files.steps),
        summary=tuple(_summary(stream, files)),
        way_back=f"./caudal restore {stream.name} --date YYYY-MM-DD (or --file, --batch) --apply",
        kept=(*files.wrong, *files.planned),
        options={"min_age_s": min_age_s},
        planned=now.isoformat(),
    )


def look(layout: Layout, stream: Stream, generation: int, now: datetime, min_age_s: float = 0.0) -> Judgement:
    """Judges every file of a file stream that lies in en_proceso; read-only. Raises as `plan`."""
    names = intake.waiting_files(layout, stream)
    if not names:
        return Judgement()
    folder = storage.confine(layout.home, layout.en_proceso(stream.folder))
    read = loaded.load(layout.checkpoint(stream.name, generation), names)
    pairing.check(layout, stream.name, generation, read)
    files = Judgement()
    done = list(_done(folder, layout, names, read, files))
    batches = Batches(layout, stream.name, read, generation)
    if done:
        _Judge(layout, stream, now, min_age_s, batches, read.logged).judge(done, files)
    return files


def apply(layout: Layout, done: Plan, now: datetime) -> None:
    """Does a plan that was just made. The caller holds the stream's lease.

    The proof is durable before the journal, and the journal before the first move. Raises as engine.apply.
    """
    if not done.steps:
        return
    with storage.disk_errors(layout.home):
        sync_proof(layout, done.stream, done.generation)
    engine.apply(layout, done.stream, done.operation(now.isoformat()), done.steps, now)


def sync_proof(layout: Layout, stream: str, generation: int) -> None:
    """Flushes the proof: the newest commit and its offset, the metadata, and the whole source log."""
    path = layout.checkpoint(stream, generation)
    make_durable(path, checkpoint.read(path).newest_commit, checkpoint.log_files(path))


def sweep(settings: Settings, stream: Stream, now: datetime, min_age_s: float = 0.0) -> Plan:
    """Takes the lease, finishes what was cut short, archives what is proved, and returns the plan it did.

    Raises LeaseHeld, else as `plan` and `apply`.
    """
    layout = settings.layout
    owner = lease.Owner(os.getpid(), new_run_id(now), now.isoformat(), "archive (housekeeping)")
    with lease.acquire(layout, stream.name, owner), storage.disk_errors(layout.home):
        engine.redo(layout, stream.name, now)
        done = plan(settings, stream, now, min_age_s)
        apply(layout, done, now)
    return done


def anything(layout: Layout, stream: Stream) -> bool:
    """Whether any admitted file lies in en_proceso. It lists one folder, which archiving keeps short, and
    takes no lease."""
    folder = layout.en_proceso(stream.folder)
    if not stream.folder or not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        return any(ledger.parse_name(entry.name) for entry in entries)


def changed(done: Plan) -> FileChanged | None:
    """The error that names the first file that a person must look at; None if there is no such file."""
    wrong = [kept for kept in done.kept if kept.wrong]
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return FileChanged(f"{wrong[0].reason}{more}", wrong[0].path) if wrong else None


def _done(
    folder: Path, layout: Layout, names: Sequence[str], read: LoadedCheckpoint, files: Judgement
) -> Iterator[str]:
    """Names of the files whose batch is done. The other files are listed or counted in `files`."""
    for name in names:
        match protocol.file_state(read.logged.get(name), read.committed):
            case FileState.DONE:
                yield name
            case FileState.PLANNED:
                files.planned.append(Kept(str((folder / name).relative_to(layout.home)), UNCOMMITTED))
            case FileState.WAITING:
                files.waiting += 1


@dataclass
class _Judge:
    """Compares the files of done batches with the ledger, and checks that their names in archivo are free."""

    layout: Layout
    stream: Stream
    now: datetime
    min_age_s: float
    batches: Batches
    logged: Mapping[str, int]
    _days: dict[str, str] = field(default_factory=dict)

    def judge(self, names: Sequence[str], files: Judgement) -> None:
        known: set[str] = set()
        with ledger.reader(storage.confine(self.layout.home, self.layout.ledger(self.stream.folder))) as db:
            for entry in ledger.select(db, "name", names, only=1):
                known.add(entry.name)
                self._judge(entry, files)
        unknown = [f"{self._source}/{name}" for name in names if name not in known]
        files.wrong += [Kept(path, "the intake ledger does not know it", wrong=True) for path in unknown]

    @cached_property
    def _source(self) -> str:
        return str(self.layout.en_proceso(self.stream.folder).relative_to(self.layout.home))

    @cached_property
    def _home(self) -> str:
        """As text: for 200,000 files, a million Path objects would cost more than reading the files."""
        return str(self.layout.home)

    def _judge(self, entry: Entry, files: Judgement) -> None:
        source = f"{self._source}/{entry.name}"
        try:
            young, target = self._is_young(entry), f"{self._day(archived.day(entry))}/{entry.name}"
        except ValueError:
            reason = f"the ledger's time of admission cannot be read: {entry.admitted_at[:40]!r}"
            files.wrong.append(Kept(source, reason, wrong=True))
            return
        if young:
            files.young += 1
        elif reason := difference(f"{self._home}/{source}", entry) or self._taken(target):
            files.wrong.append(Kept(source, reason, wrong=True))
        else:
            batch = self.batches.of(self.logged[entry.name])
            files.steps.append(Step(0, "move", source, target, entry.size_bytes, batch))

    def _is_young(self, entry: Entry) -> bool:
        """False without a minimum age: a clock that was set back must not hold files here."""
        if self.min_age_s <= 0:
            return False
        admitted_at = datetime.fromisoformat(entry.admitted_at).astimezone(UTC)
        return (self.now - admitted_at).total_seconds() < self.min_age_s

    def _day(self, day: str) -> str:
        """The day's folder, relative to the home. It is confined once. Raises UnsafePath."""
        if day not in self._days:
            folder = storage.confine(self.layout.home, self.layout.archivo(self.stream.folder) / day)
            self._days[day] = str(folder.relative_to(self.layout.home))
        return self._days[day]

    def _taken(self, target: str) -> str:
        return f"the name is taken: {target}" if os.path.lexists(f"{self._home}/{target}") else ""


def difference(path: Path | str, entry: Entry) -> str:
    """How a file differs from what was admitted, in words; empty if it does not. It reads the file."""
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
        same = counting.content_hash(path) == entry.content_hash
    except Busy as busy:
        return str(busy)
    return "" if same else f"changed since intake: the same {size} bytes, other content"


def _summary(stream: Stream, files: Judgement) -> Iterator[str]:
    if not stream.folder:
        yield "this stream reads a topic: there are no files to archive"
        return
    what = (
        f"{len(files.steps)} files{_batches(files.steps)}, {sum(s.size_bytes for s in files.steps):,} bytes"
    )
    yield f"{what}, go to archivo/{stream.folder} by their UTC day of admission"
    counts = {
        "that no batch has yet": files.waiting,
        "younger than asked": files.young,
        "of an open batch": len(files.planned),
    }
    if stay := [f"{count} {what}" for what, count in counts.items() if count]:
        yield f"files that stay: {', '.join(stay)}"
    if files.wrong:
        yield f"{len(files.wrong)} files need a look, they stay where they are"


def _batches(steps: Sequence[Step]) -> str:
    batches = sorted({step.batch for step in steps})
    if len(batches) > 1:
        return f" of batches {batches[0]} to {batches[-1]}"
    return f" of batch {batches[0]}" if batches else ""
