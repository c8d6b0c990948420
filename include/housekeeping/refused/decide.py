"""Plans what a person decides about refused records: reprocess, discard, or accept a held batch.

A record is reprocessed or discarded once. A mark beside it in quarantine records that; the operation that
makes the delivery also writes the mark.
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
from include.housekeeping.plan_builder import PlanBuilder, begin
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
# Reasons whose records are never delivered again -> what to do instead.
_NEVER = {
    "wrong-header": "its columns are known by its file's first line: "
    "deliver the whole file again, with the names of the schema"
}
_DUPLICATE = "duplicate"


@dataclass(frozen=True)
class Asked:
    """Which refused records; with `files`, which refused files.

    `reasons`: empty for all. `since`: refused at or after this time, which has a time zone. `batch`: of the
    current generation.
    """

    reasons: tuple[str, ...] = ()
    since: datetime | None = None
    batch: int | None = None
    files: bool = False

    def __post_init__(self) -> None:
        if self.files and self.batch is not None:
            what = "a refused file belongs to no batch"
            raise UsageError(what, "--batch", cli="--files with --reason or --since")

    def reason(self, code: str) -> bool:
        return not self.reasons or code in self.reasons

    def time(self, at: datetime) -> bool:
        return self.since is None or at >= self.since


def time(text: str) -> datetime | None:
    """Reads `2026-11-24` or `2026-11-24T08:00`, UTC if it names no zone; None for "". Raises UsageError."""
    if not text:
        return None
    try:
        since = datetime.fromisoformat(text)
    except ValueError:
        what, cli = f"{text[:40]!r} is not a time", "--since 2026-11-24, or 2026-11-24T08:00 (UTC)"
        raise UsageError(what, "--since", cli=cli, ui="2026-11-24T08:00") from None
    return since if since.tzinfo else since.replace(tzinfo=UTC)


def plan(settings: Settings, stream: Stream, now: datetime, verb: Verb, asked: Asked) -> Plan:
    """Plans to reprocess or discard; read-only. The plan has no steps when nothing is left to do.

    Each quarantined batch is read once and compared with its manifest. Raises Refused: records of a topic to
    be reprocessed, `files` for a stream that reads a topic, an open operation. Raises DataError for records
    that are not those that were published.
    """
    layout = settings.layout
    number = (generations.numbers(layout, stream.name)[-1:] or [0])[0]
    if verb == "reprocess" and isinstance(stream.source, Topic):
        raise _not_sent_again(layout, stream, number)
    builder = begin(layout, stream.name, verb, number, now)
    builder.options |= {
        "reasons": list(asked.reasons),
        "since": asked.since.isoformat() if asked.since else "",
        "batch": asked.batch,
    }
    if asked.files:
        _files(builder, stream, verb, asked)
    else:
        _records(builder, stream, verb, asked)
    return builder.plan(_way_back(builder, verb, asked))


def _not_sent_again(layout: Layout, stream: Stream, number: int) -> Refused:
    """The refusal for records of a topic. A copy on the topic would reach all its readers, and nobody could
    take it away when the original is read again."""
    assert isinstance(stream.source, Topic)  # noqa: S101 - the caller's condition
    name, topic = stream.name, stream.source.name
    batches = [b.number for b in refused_records.batches(layout, name) if b.generation == number]
    if not batches:
        what = "nothing of this generation is refused"
        return Refused(what, name, cli=f"./caudal quarantine list {name}")
    before = min(batches) - 1
    repeats = " --allow-repeats (its messages since are sent again)" if isinstance(stream.sink, Topic) else ""
    rewind = f"./caudal generation rewind {name} --to-batch {before}{repeats}"
    produce = f"./caudal quarantine show {name} --raw, then ./caudal produce {topic}"
    return Refused(
        f"records of topic {topic} are not sent again: every reader of the topic would get them twice",
        name,
        cli=f"mend the rule or the row, then {rewind} reads the same offsets again; "
        f"or mend the records: {produce}",
        ui=f"Mend the rule or the row, then trigger manage_stream with verb rewind and batch {before}",
    )


def _records(builder: PlanBuilder, stream: Stream, verb: Verb, asked: Asked) -> None:
    total: Counter[str] = Counter()
    for batch in _asked(builder, stream, asked):
        counts = refused_records.reasons(batch)
        chosen = _chosen(builder, batch, sorted(counts), verb, asked)
        if verb == "reprocess" and chosen:
            chosen = delivered.fit(builder, stream, batch, chosen)
        if chosen:
            refused_records.require_whole(batch)
            _handle(builder, stream, verb, batch, chosen)
            total += Counter({reason: counts[reason] for reason in chosen})
    builder.note(f"{total.total()} refused records" + (f" ({_by_reason(total)})" if total else ""))
    if verb == "reprocess" and total:
        what = "a delivery for each batch it was refused in; the next run takes it in"
        builder.note(f"each record as it came, into entrada/{stream.folder}: {what}")
    if verb == "discard" and total:
        builder.note("they stay where they are, with a mark: nobody is asked about them again")


def _by_reason(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))


def _asked(builder: PlanBuilder, stream: Stream, asked: Asked) -> Iterator[Batch]:
    """The published batches that were asked for. The plan says of the held ones why they stay."""
    for batch in refused_records.batches(builder.layout, stream.name):
        wanted = asked.batch is None or (batch.generation, batch.number) == (builder.number, asked.batch)
        if not (wanted and asked.time(batch.at)):
            continue
        if batch.manifest:
            yield batch
        else:
            accept = f"./caudal quarantine accept {stream.name} --batch {batch.number}"
            what = "its batch is held, nothing of it is published"
            builder.keep(batch.folder, f"{what}: {accept}, or mend the rule")


def _chosen(builder: PlanBuilder, batch: Batch, reasons: list[str], verb: Verb, asked: Asked) -> list[str]:
    """The reasons whose records are still open. The plan says of the others why they stay."""
    chosen = []
    for reason in reasons:
        mark = batch.mark(reason)
        if not asked.reason(reason):
            continue
        if mark:
            builder.keep(batch.folder, f"{reason}: {mark.state} by {mark.operation}")
        elif verb == "reprocess" and reason in _NEVER:
            builder.keep(batch.folder, f"{reason}: {_NEVER[reason]}")
        else:
            chosen.append(reason)
    return chosen


def _handle(builder: PlanBuilder, stream: Stream, verb: Verb, batch: Batch, chosen: list[str]) -> None:
    """Adds the mark, then the deliveries, one for each csv header.

    The mark's stage comes first, so that whatever lies in entrada is marked.
    """
    assert batch.manifest is not None  # noqa: S101 - held batches are left out
    selections = _selections(builder, stream, batch, chosen) if verb == "reprocess" else {}
    mark = Mark(builder.id, _STATES[verb], tuple(chosen), builder.now.isoformat(), ", ".join(selections))
    path = batch.folder / refused_records.mark_name(builder.id)
    builder.stage().write(path, mark.to_json(), batch.number)
    if selections:
        builder.stage()
    for name, selection in selections.items():
        size = sum(len(line) for line in refused_records.delivery(builder.id, name, batch.folder, selection))
        target = builder.layout.entrada(stream.folder) / name
        builder.deliver(batch.folder, target, size, batch.number, selection.to_json())


def _selections(
    builder: PlanBuilder, stream: Stream, batch: Batch, reasons: list[str]
) -> dict[str, Selection]:
    """Name of the delivery -> what it holds."""
    selections: dict[str, Selection] = {}
    for number, header in enumerate(refused_records.headers(batch, reasons), 1):
        head, suffix = number if header else 0, stream.source.format
        name = deliveries.name(builder.id, batch.generation, batch.number, suffix, head)
        selections[name] = delivered.selection(stream, batch, reasons, header)
    return selections


def _files(builder: PlanBuilder, stream: Stream, verb: Verb, asked: Asked) -> None:
    if not isinstance(stream.source, Files):
        what = f"{stream.name} reads a topic: it has refused no file"
        raise Refused(what, stream.name, cli="leave --files out")
    folder = storage.confine(builder.layout.home, builder.layout.refused_files(stream.folder))
    builder.stage()
    chosen = 0
    for path, code in _refused_files(folder, asked):
        name = partial_names.final_name(path.name, stream.source.under_way)
        target = builder.layout.entrada(stream.folder) / name
        if verb == "discard":
            builder.retire(path)
        elif code == _DUPLICATE and not asked.reasons:
            builder.keep(path, "a duplicate: its content is admitted already")
            continue
        elif os.path.lexists(target):
            builder.keep(path, "the name is taken in entrada")
            continue
        else:
            builder.step("move", builder.relative(path), builder.relative(target), path.lstat().st_size)
        chosen += 1
        if (reason := path.with_name(f"{path.name}{refuse.REASON_SUFFIX}")).is_file():
            builder.retire(reason)
    where = "back to entrada, to be judged again" if verb == "reprocess" else f"to {_retired(builder)}"
    builder.note(f"{chosen} refused files go {where}")


def _retired(builder: PlanBuilder) -> str:
    """This operation's folder in retirado, relative to the home."""
    return builder.relative(builder.layout.retired(builder.stream) / builder.id)


def _refused_files(folder: Path, asked: Asked) -> Iterator[tuple[Path, str]]:
    """(file, code) of the refused files that were asked for, by name."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        no_data = path.name.endswith(refuse.REASON_SUFFIX) or path.name.startswith(storage.TEMP_PREFIX)
        if no_data or not storage.is_regular(path):
            continue
        code, at = refused_file(path)
        if asked.reason(code) and (at is None or asked.time(at)):
            yield path, code


def refused_file(path: Path) -> tuple[str, datetime | None]:
    """(code, when) from the reason beside a refused file; ("unknown", None) if it cannot be read."""
    try:
        raw = json.loads(path.with_name(f"{path.name}{refuse.REASON_SUFFIX}").read_bytes())
        return str(raw["code"]), datetime.fromisoformat(raw["refused_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown", None


def _way_back(builder: PlanBuilder, verb: Verb, asked: Asked) -> str:
    if verb == "reprocess":
        again = "what is refused again is a refused record of the new delivery, with its own reason"
        return f"none: a record is reprocessed once; {again}"
    if asked.files:
        return f"put the files of {_retired(builder)} into entrada, until they are purged"
    return "none is needed: the records stay in cuarentena"


def accept(settings: Settings, stream: Stream, now: datetime, batch: int) -> Plan:
    """Plans to accept the batch that is held now; read-only.

    The acceptance holds for this batch as Spark has planned it, and for as many refused records as it has.
    Raises Refused when no batch with this number is held.
    """
    layout = settings.layout
    current = generations.current(layout, stream.name)
    number = current.number if current else 0
    builder = begin(layout, stream.name, "accept", number, now)
    batches = [b for b in refused_records.batches(layout, stream.name) if b.generation == number]
    held = {b.number: b for b in batches if b.manifest is None}
    state = checkpoint.read(layout.checkpoint(stream.name, number))
    if batch not in held or batch != state.newest_offset or state.query_id is None:
        open_one = f"held is batch {max(held)}" if held else "none is held"
        what = f"batch {batch} of generation {number} is not held: {open_one}"
        raise Refused(what, stream.name, cli=f"./caudal quarantine list {stream.name}")
    counts = refused_records.reasons(held[batch])
    identity = batch_plan.read(state.path, batch, state.query_id).identity
    acceptance = Acceptance(identity, counts.total(), now.isoformat())
    path = layout.accepted(stream.name, number, batch) / f"{builder.id}.json"
    builder.stage().write(path, acceptance.to_json(), batch)
    records = f"{counts.total()} refused records ({_by_reason(counts)})"
    builder.note(f"batch {batch} may be published with {records}")
    builder.note("the next run publishes it; if more are refused then, it is held again")
    rewind = f"./caudal generation rewind {stream.name} --to-batch {batch - 1}"
    return builder.plan(f"{rewind}, once it is published")
