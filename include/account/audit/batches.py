"""Audit of what was published: every batch of the live generations, its files by a plain reader, its quarantine, the chain of positions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from include.account.audit.findings import Case, Published
from include.account.parquet_rows import parquet_rows
from include.state import generations, journal
from jobs.contract.commit import checkpoint, manifest
from jobs.contract.commit.manifest import Manifest, canonical
from jobs.contract.errors import DataError
from jobs.contract.run import part_files
from jobs.contract.run.part_files import Measure
from jobs.contract.stream import Files

_EVERY = 50  # batches between two words of progress


def audit(case: Case) -> list[Published]:
    """Every live generation, oldest first. Retired ones are no reader's business, and told as such."""
    numbers, live = generations.numbers(case.layout, case.name), generations.live(case.layout, case.name)
    retired = _retired(case)
    for number in sorted({*numbers} - {*live}):
        _absent(case, number, number in retired)
    if stray := sorted({*live} - {*numbers}):
        way = "bring its record back, or move the folder out of the home"
        case.differ(case.layout.output(case.name, stray[0]), "an output whose generation has no record", way)
    return [_generation(case, number) for number in live]


def _retired(case: Case) -> set[int]:
    """Generations whose output an operation has moved to retirado."""
    root = str(case.layout.salida(case.name).relative_to(case.layout.home))
    found = journal.moves(
        case.layout.journal(case.name),
        ("reset", "retire"),
        "undone_by = '' AND source LIKE ?",
        (f"{root}/gen=%",),
    )
    return {
        int(step.source.rpartition("gen=")[2])
        for _, step in found
        if "/" not in step.source.removeprefix(f"{root}/")
    }


def _absent(case: Case, number: int, retired: bool) -> None:
    state = checkpoint.read(case.layout.checkpoint(case.name, number))
    if retired:
        case.found.unchecked.append(f"generation {number} is retired: no reader sees it")
    elif state.commits:
        way = f"bring it back from a backup, or ./caudal generation reset {case.name} reads everything again"
        what = f"the whole output of generation {number} is gone, {len(state.commits)} commits know of it"
        case.differ(case.layout.output(case.name, number), what, way)
    elif not state.path.is_dir():
        case.found.unchecked.append(
            f"generation {number} has neither output nor checkpoint: it never published, or both were taken away"
        )


def _generation(case: Case, number: int) -> Published:
    folders = manifest.published(case.layout.output(case.name, number))
    for missing in sorted({*range(max(folders, default=-1) + 1)} - folders.keys()):
        case.differ_batch(
            number,
            missing,
            f"its folder is missing, later ones are there: {case.layout.batch(case.name, number, missing)}",
        )
    read = [one for batch, folder in folders.items() if (one := _read(case, number, batch, folder))]
    asked = [one for one in read if case.covers(one.run_id)]
    _chain(case, number, read)
    for count, one in enumerate(asked):
        if count % _EVERY == 0:
            case.tell(f"batch {one.batch} of generation {number}, {count + 1:,} of {len(asked):,}")
        _batch(case, number, folders[one.batch], one)
    return Published(number, tuple(read), tuple(asked))


def _read(case: Case, number: int, batch: int, folder: Path) -> Manifest | None:
    """None, and a difference, where it cannot be read or is another batch's."""
    try:
        one = manifest.read(folder)
    except DataError as error:
        case.differ_batch(number, batch, f"{error.what} [{folder}]")
        return None
    if (one.stream, one.generation, one.batch) == (case.name, number, batch):
        return one
    case.differ_batch(
        number,
        batch,
        f"its manifest says batch {one.batch} of generation {one.generation} of {one.stream} [{folder}]",
    )
    return None


def _chain(case: Case, number: int, read: Sequence[Manifest]) -> None:
    """Each batch begins where the one before ended, and all are of one query."""
    for before, after in pairwise(read):
        if after.batch == before.batch + 1 and canonical(after.start) != canonical(before.end):
            what = f"begins at {canonical(after.start)}, batch {before.batch} ends at {canonical(before.end)}"
            case.differ_batch(number, after.batch, what)
        if after.query_id != before.query_id:
            case.differ_batch(
                number,
                after.batch,
                f"of query {after.query_id}, batch {before.batch} is of {before.query_id}",
            )


def _batch(case: Case, number: int, folder: Path, one: Manifest) -> None:
    case.found.count("batches")
    if isinstance(case.stream.sink, Files):
        _files(case, number, folder, one, case.stream.sink)
    if not 0 <= one.quarantined <= one.records_in:
        case.differ_batch(
            number, one.batch, f"{one.records_in} records in, but {one.quarantined} quarantined"
        )
    _quarantine(case, number, one)
    case.found.count("records in", one.records_in)
    case.found.count("quarantined", one.quarantined)
    case.found.count("rows out", one.rows_out)


def _files(case: Case, number: int, folder: Path, one: Manifest, sink: Files) -> None:
    """Names, sizes, digests and rows of the part files against the manifest."""
    told = {file.name: Measure(file.size_bytes, file.sha256, file.records) for file in one.files}
    there = {file.name: file for file in part_files.data_files(folder)}
    for name in sorted(told.keys() - there.keys()):
        case.differ_batch(number, one.batch, f"part file {name} is gone from {folder}")
    for name in sorted(there.keys() - told.keys()):
        case.differ(
            there[name],
            f"batch {one.batch}'s manifest does not name it, yet readers see it",
            "move it out of salida",
        )
    for name in sorted(told.keys() & there.keys()):
        _part(case, number, one.batch, there[name], told[name], sink)
    if (rows := sum(file.records for file in one.files)) != one.rows_out:
        case.differ_batch(
            number, one.batch, f"its manifest says {one.rows_out} rows out, and {rows} by file [{folder}]"
        )


def _part(case: Case, number: int, batch: int, file: Path, told: Measure, sink: Files) -> None:
    try:
        seen = part_files.measure(file, sink.format, sink.header, parquet_rows)
    except (OSError, ValueError) as error:
        case.differ_batch(number, batch, f"part file {file} cannot be read: {error}")
        return
    case.found.count("part files")
    if seen != told:
        same = " (other content)" if (seen.size_bytes, seen.rows) == (told.size_bytes, told.rows) else ""
        what = f"{seen.size_bytes} bytes and {seen.rows} rows{same}, its manifest says {told.size_bytes} and {told.rows}"
        case.differ_batch(number, batch, f"part file {file}: {what}")


def _quarantine(case: Case, number: int, one: Manifest) -> None:
    """The refused records that a manifest names; without a name they are a dead attempt's and count nowhere."""
    folder = case.layout.refused_records(case.name, number, one.batch)
    if not one.quarantined:
        return
    if not folder.is_dir():
        case.differ_batch(
            number, one.batch, f"its {one.quarantined} quarantined records are gone: no {folder}"
        )
        return
    seen = [part_files.measure(file, "json", False, parquet_rows) for file in part_files.data_files(folder)]
    rows = sum(part.rows for part in seen)
    if rows != one.quarantined:
        case.differ_batch(
            number, one.batch, f"{rows} records lie in {folder}, its manifest says {one.quarantined}"
        )
    elif manifest.digest(sorted((part.sha256, part.rows) for part in seen)) != one.quarantine_digest:
        case.differ_batch(
            number, one.batch, f"the {rows} quarantined records are not those its manifest names: {folder}"
        )
