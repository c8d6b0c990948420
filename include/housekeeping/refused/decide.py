"""What a person does with what was refused: reprocess it, discard it, or accept a batch that was held for it. Plans, all of them.

A record is reprocessed, or discarded, once: a mark beside it in quarantine says so, and is written in the same operation as the delivery.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from include.housekeeping.plan import Plan
from include.housekeeping.plan_builder import Way, begin
from include.housekeeping.refused import delivered
from include.intake import refuse
from include.settings import Settings
from include.state import deliveries, generations, refused_records
from include.state.refused_records import Batch, Mark, Selection
from jobs.contract.commit import batch_plan, checkpoint
from jobs.contract.disk import storage
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import Refused, UsageError
from jobs.contract.run.thresholds import Acceptance
from jobs.contract.stream import Files, Stream, Topic, partial_names

Verb = Literal["reprocess", "discard"]
_STATES: dict[Verb, Literal["reprocessed", "discarded"]] = {
    "reprocess": "reprocessed",
    "discard": "discarded",
}
# why records are not delivered again -> what to do instead
_NEVER = {
    "wrong-header": "its columns are known by its file's first line: deliver the whole file again, with the names of the schema"
}
_DUPLICATE = "duplicate"


@dataclass(frozen=True)
class Asked:
    """Which refused records, or with `files` which refused files. `reasons`: none for all; `since`: refused at or after, with its zone;
    `batch`: of the current generation."""

    reasons: tuple[str, ...] = ()
    since: datetime | None = None
    batch: int | None = None
    files: bool = False

    def __post_init__(self) -> None:
        if self.files and self.batch is not None:
            raise UsageError(
                "a refused file is of no batch", "--batch", cli="--files with --reason or --since"
            )

    def reason(self, code: str) -> bool:
        return not self.reasons or code in self.reasons

    def time(self, at: datetime) -> bool:
        return self.since is None or at >= self.since


def time(text: str) -> datetime | None:
    """`2026-11-24` or `2026-11-24T08:00`, UTC unless it has its zone; None for nothing. Raises UsageError."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text[:40]!r} is no time",
            "--since",
            cli="--since 2026-11-24, or 2026-11-24T08:00 (UTC)",
            ui="2026-11-24T08:00",
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def plan(settings: Settings, stream: Stream, now: datetime, verb: Verb, asked: Asked) -> Plan:
    """Read-only; each quarantined batch is read once and compared with its manifest. A plan without steps when nothing is left to do.

    Raises Refused: records of a topic to be reprocessed, a stream without files for `files`, an open operation; DataError for records that are
    not what was published.
    """
    layout = settings.layout
    number = (generations.numbers(layout, stream.name)[-1:] or [0])[0]
    if verb == "reprocess" and isinstance(stream.source, Topic):
        raise _no_way_back(layout, stream, number)
    way = begin(layout, stream.name, verb, number, now)
    way.options |= {
        "reasons": list(asked.reasons),
        "since": asked.since.isoformat() if asked.since else "",
        "batch": asked.batch,
    }
    if asked.files:
        _files(way, stream, verb, asked)
    else:
        _records(way, stream, verb, asked)
    return way.plan(_way_back(way, verb, asked))


def _no_way_back(layout: Layout, stream: Stream, number: int) -> Refused:
    """A copy on the topic would reach every reader of it, and could not be taken away when the original is read again."""
    assert isinstance(stream.source, Topic)  # noqa: S101 - the caller's condition
    batches = [b.number for b in refused_records.batches(layout, stream.name) if b.generation == number]
    if not batches:
        return Refused(
            "nothing of this generation is refused",
            stream.name,
            cli=f"./caudal quarantine list {stream.name}",
        )
    first = min(batches)
    repeats = " --allow-repeats (its messages since are sent again)" if isinstance(stream.sink, Topic) else ""
    return Refused(
        f"records of topic {stream.source.name} are not sent again: every reader of the topic would get them twice",
        stream.name,
        cli=f"mend the rule or the row, then ./caudal generation rewind {stream.name} --to-batch {first - 1}{repeats} reads the same offsets again; "
        f"or mend the records: ./caudal quarantine show {stream.name} --raw, then ./caudal produce {stream.source.name}",
        ui=f"Mend the rule or the row, then trigger manage_stream with verb rewind and batch {first - 1}",
    )


def _records(way: Way, stream: Stream, verb: Verb, asked: Asked) -> None:
    total: Counter[str] = Counter()
    for batch in _asked(way, stream, asked):
        counts = refused_records.reasons(batch)
        chosen = _chosen(way, batch, sorted(counts), verb, asked)
        if verb == "reprocess" and chosen:
            chosen = delivered.fit(way, stream, batch, chosen)
        if chosen:
            refused_records.require_whole(batch)
            _handle(way, stream, verb, batch, chosen)
            total += Counter({reason: counts[reason] for reason in chosen})
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(total.items()))
    way.said.append(f"{total.total()} refused records" + (f" ({told})" if told else ""))
    if verb == "reprocess" and total:
        what = "a delivery for each batch it was refused in; the next run takes it in"
        way.said.append(f"each record as it came, into entrada/{stream.folder}: {what}")
    if verb == "discard" and total:
        way.said.append("they stay where they are, marked: nobody is asked about them again")


def _asked(way: Way, stream: Stream, asked: Asked) -> Iterator[Batch]:
    """Published ones that the question meets; those that are held are kept with the reason."""
    for batch in refused_records.batches(way.layout, stream.name):
        met = asked.batch is None or (batch.generation, batch.number) == (way.number, asked.batch)
        if met and asked.time(batch.at):
            if batch.manifest:
                yield batch
            else:
                accept = f"./caudal quarantine accept {stream.name} --batch {batch.number}"
                way.keep(
                    batch.folder, f"its batch is held, nothing of it is published: {accept}, or mend the rule"
                )


def _chosen(way: Way, batch: Batch, found: list[str], verb: Verb, asked: Asked) -> list[str]:
    """Reasons whose records are still open; says of the others what was done with them."""
    chosen = []
    for reason in found:
        mark = batch.mark(reason)
        if not asked.reason(reason):
            continue
        if mark:
            way.keep(batch.folder, f"{reason}: {mark.state} by {mark.operation}")
        elif verb == "reprocess" and reason in _NEVER:
            way.keep(batch.folder, f"{reason}: {_NEVER[reason]}")
        else:
            chosen.append(reason)
    return chosen


def _handle(way: Way, stream: Stream, verb: Verb, batch: Batch, chosen: list[str]) -> None:
    """The mark, then the deliveries, one for each header: a stage each, so that what is in entrada is marked."""
    assert batch.manifest is not None  # noqa: S101 - held batches are left out
    made: dict[str, Selection] = {}
    for number, header in enumerate(refused_records.headers(batch, chosen) if verb == "reprocess" else [], 1):
        name = deliveries.name(
            way.id, batch.generation, batch.number, stream.source.format, number if header else 0
        )
        made[name] = delivered.selection(stream, batch, chosen, header)
    mark = Mark(way.id, _STATES[verb], tuple(chosen), way.now.isoformat(), ", ".join(made))
    way.stage().write(batch.folder / refused_records.mark_name(way.id), mark.to_json(), batch.number)
    if made:
        way.stage()
    for name, selection in made.items():
        size = sum(len(line) for line in refused_records.delivery(way.id, name, batch.folder, selection))
        way.deliver(
            batch.folder, way.layout.entrada(stream.folder) / name, size, batch.number, selection.to_json()
        )


def _files(way: Way, stream: Stream, verb: Verb, asked: Asked) -> None:
    if not isinstance(stream.source, Files):
        raise Refused(
            f"{stream.name} reads a topic: it has refused no file", stream.name, cli="leave --files out"
        )
    folder = storage.confine(way.layout.home, way.layout.refused_files(stream.folder))
    way.stage()
    chosen = 0
    for path, code in _refused_files(folder, asked):
        if verb == "reprocess" and code == _DUPLICATE and not asked.reasons:
            way.keep(path, "a duplicate: its content is admitted already")
            continue
        target = way.layout.entrada(stream.folder) / partial_names.final_name(
            path.name, stream.source.under_way
        )
        if verb == "reprocess" and os.path.lexists(target):
            way.keep(path, "the name is taken in entrada")
            continue
        chosen += 1
        if verb == "reprocess":
            way.step("move", way.relative(path), way.relative(target), path.lstat().st_size)
        else:
            way.retire(path)
        if (reason := path.with_name(f"{path.name}{refuse.REASON_SUFFIX}")).is_file():
            way.retire(reason)
    where = (
        "back to entrada, to be judged anew"
        if verb == "reprocess"
        else f"to {way.relative(way.layout.retired(stream.name) / way.id)}"
    )
    way.said.append(f"{chosen} refused files go {where}")


def _refused_files(folder: Path, asked: Asked) -> Iterator[tuple[Path, str]]:
    """(file, code) that the question meets, by name."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if (
            path.name.endswith(refuse.REASON_SUFFIX)
            or path.name.startswith(storage.TEMP_PREFIX)
            or not storage.is_regular(path)
        ):
            continue
        code, at = refused_file(path)
        if asked.reason(code) and (at is None or asked.time(at)):
            yield path, code


def refused_file(path: Path) -> tuple[str, datetime | None]:
    """(code, when) as the reason beside a refused file tells them; a reason that cannot be read tells neither."""
    try:
        raw = json.loads(path.with_name(f"{path.name}{refuse.REASON_SUFFIX}").read_bytes())
        return str(raw["code"]), datetime.fromisoformat(raw["refused_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown", None


def _way_back(way: Way, verb: Verb, asked: Asked) -> str:
    if verb == "discard":
        place = way.relative(way.layout.retired(way.stream) / way.id)
        return (
            f"put the files of {place} into entrada, until they are purged"
            if asked.files
            else "none is needed: the records stay in cuarentena"
        )
    return "none: a record is reprocessed once; what is refused again is a refused record of the new delivery, with its own reason"


def accept(settings: Settings, stream: Stream, now: datetime, batch: int) -> Plan:
    """Read-only. An acceptance of the batch that is held now, as Spark has planned it, with as many refused records as it has.

    Raises Refused when no batch of this number is held.
    """
    layout = settings.layout
    current = generations.current(layout, stream.name)
    number = current.number if current else 0
    way = begin(layout, stream.name, "accept", number, now)
    held = {
        b.number: b
        for b in refused_records.batches(layout, stream.name)
        if b.generation == number and b.manifest is None
    }
    state = checkpoint.read(layout.checkpoint(stream.name, number))
    if batch not in held or batch != state.newest_offset or state.query_id is None:
        known = f"held is batch {max(held)}" if held else "none is held"
        raise Refused(
            f"batch {batch} of generation {number} is not held: {known}",
            stream.name,
            cli=f"./caudal quarantine list {stream.name}",
        )
    counts = refused_records.reasons(held[batch])
    word = Acceptance(
        batch_plan.read(state.path, batch, state.query_id).identity, counts.total(), now.isoformat()
    )
    way.stage().write(layout.accepted(stream.name, number, batch) / f"{way.id}.json", word.to_json(), batch)
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
    way.said.append(f"batch {batch} may be published with {counts.total()} refused records ({told})")
    way.said.append("the next run publishes it; if more are refused then, it is held again")
    return way.plan(f"./caudal generation rewind {stream.name} --to-batch {batch - 1}, once it is published")
