"""Audits what was published: every batch of the live generations, its files with a plain reader, its
quarantine, and the chain of positions."""

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

_EVERY = 50  # batches between two lines of progress


def audit(case: Case) -> list[Published]:
    """Every live generation, oldest first. A retired one is listed as unchecked: no reader sees it."""
    numbers, live = generations.numbers(case.layout, case.name), generations.live(case.layout, case.name)
    retired = _retired(case)
    for number in sorted({*numbers} - {*live}):
        _absent(case, number, number in retired)
    if stray := sorted({*live} - {*numbers}):
        remedy = "bring its record back, or move the folder out of the home"
        case.differ(
            case.layout.output(case.name, stray[0]), "an output whose generation has no record", remedy
        )
    return [_generation(case, number) for number in live]


def _retired(case: Case) -> set[int]:
    """Generations whose output an operation has moved to retirado."""
    root = str(case.layout.salida(case.name).relative_to(case.layout.home))
    where = "undone_by = '' AND source LIKE ?"
    moved = journal.moves(case.layout.journal(case.name), ("reset", "retire"), where, (f"{root}/gen=%",))
    names = (step.source.removeprefix(f"{root}/") for _, step in moved)
    return {int(name.removeprefix("gen=")) for name in names if "/" not in name}


def _absent(case: Case, number: int, retired: bool) -> None:
    state = checkpoint.read(case.layout.checkpoint(case.name, number))
    if retired:
        case.unchecked(f"generation {number} is retired: no reader sees it")
    elif state.commits:
        what = f"the whole output of generation {number} is gone, {len(state.commits)} commits know of it"
        remedy = (
            f"bring it back from a backup, or ./caudal generation reset {case.name} reads everything again"
        )
        case.differ(case.layout.output(case.name, number), what, remedy)
    elif not state.path.is_dir():
        why = "it never published, or both were removed"
        case.unchecked(f"generation {number} has neither output nor checkpoint: {why}")


def _generation(case: Case, number: int) -> Published:
    folders = manifest.published(case.layout.output(case.name, number))
    for missing in sorted({*range(max(folders, default=-1) + 1)} - folders.keys()):
        where = case.layout.batch(case.name, number, missing)
        case.differ_batch(number, missing, f"its folder is missing, later ones are there: {where}")
    read = [m for batch, folder in folders.items() if (m := _read(case, number, batch, folder))]
    asked = [m for m in read if case.covers(m.run_id)]
    _chain(case, number, read)
    for count, m in enumerate(asked):
        if count % _EVERY == 0:
            case.tell(f"batch {m.batch} of generation {number}, {count + 1:,} of {len(asked):,}")
        _batch(case, number, folders[m.batch], m)
    return Published(number, tuple(read), tuple(asked))


def _read(case: Case, number: int, batch: int, folder: Path) -> Manifest | None:
    """The batch's manifest. None, and a difference, when it cannot be read or belongs to another batch."""
    try:
        m = manifest.read(folder)
    except DataError as error:
        case.differ_batch(number, batch, f"{error.what} [{folder}]")
        return None
    if (m.stream, m.generation, m.batch) == (case.name, number, batch):
        return m
    other = f"batch {m.batch} of generation {m.generation} of {m.stream}"
    case.differ_batch(number, batch, f"its manifest says {other} [{folder}]")
    return None


def _chain(case: Case, number: int, read: Sequence[Manifest]) -> None:
    """Compares neighbours: each batch begins where the one before ended, and all belong to one query."""
    for before, after in pairwise(read):
        if after.batch == before.batch + 1 and canonical(after.start) != canonical(before.end):
            what = f"begins at {canonical(after.start)}, batch {before.batch} ends at {canonical(before.end)}"
            case.differ_batch(number, after.batch, what)
        if after.query_id != before.query_id:
            what = f"of query {after.query_id}, batch {before.batch} is of {before.query_id}"
            case.differ_batch(number, after.batch, what)


def _batch(case: Case, number: int, folder: Path, m: Manifest) -> None:
    case.count("batches")
    if isinstance(case.stream.sink, Files):
        _files(case, number, folder, m, case.stream.sink)
    if not 0 <= m.quarantined <= m.records_in:
        case.differ_batch(number, m.batch, f"{m.records_in} records in, but {m.quarantined} quarantined")
    _quarantine(case, number, m)
    case.count("records in", m.records_in)
    case.count("quarantined", m.quarantined)
    case.count("rows out", m.rows_out)


def _files(case: Case, number: int, folder: Path, m: Manifest, sink: Files) -> None:
    """Compares names, sizes, digests and rows of the part files with the manifest."""
    listed = {file.name: Measure(file.size_bytes, file.sha256, file.records) for file in m.files}
    there = {file.name: file for file in part_files.data_files(folder)}
    for name in sorted(listed.keys() - there.keys()):
        case.differ_batch(number, m.batch, f"part file {name} is gone from {folder}")
    for name in sorted(there.keys() - listed.keys()):
        what = f"batch {m.batch}'s manifest does not name it, yet readers see it"
        case.differ(there[name], what, "move it out of salida")
    for name in sorted(listed.keys() & there.keys()):
        _part(case, number, m.batch, there[name], listed[name], sink)
    if (rows := sum(file.records for file in m.files)) != m.rows_out:
        what = f"its manifest says {m.rows_out} rows out, and {rows} by file [{folder}]"
        case.differ_batch(number, m.batch, what)


def _part(case: Case, number: int, batch: int, file: Path, listed: Measure, sink: Files) -> None:
    try:
        seen = part_files.measure(file, sink.format, sink.header, parquet_rows)
    except (OSError, ValueError) as error:
        case.differ_batch(number, batch, f"part file {file} cannot be read: {error}")
        return
    case.count("part files")
    if seen != listed:
        same = (seen.size_bytes, seen.rows) == (listed.size_bytes, listed.rows)
        now = f"{seen.size_bytes} bytes and {seen.rows} rows{' (other content)' if same else ''}"
        what = f"{now}, its manifest says {listed.size_bytes} and {listed.rows}"
        case.differ_batch(number, batch, f"part file {file}: {what}")


def _quarantine(case: Case, number: int, m: Manifest) -> None:
    """Compares the refused records with the manifest. If the manifest names none, those in the folder come
    from an attempt that died, and do not count."""
    folder = case.layout.refused_records(case.name, number, m.batch)
    if not m.quarantined:
        return
    if not folder.is_dir():
        case.differ_batch(number, m.batch, f"its {m.quarantined} quarantined records are gone: no {folder}")
        return
    seen = [part_files.measure(file, "json", False, parquet_rows) for file in part_files.data_files(folder)]
    rows = sum(part.rows for part in seen)
    if rows != m.quarantined:
        what = f"{rows} records lie in {folder}, its manifest says {m.quarantined}"
        case.differ_batch(number, m.batch, what)
    elif manifest.digest(sorted((part.sha256, part.rows) for part in seen)) != m.quarantine_digest:
        what = f"the {rows} quarantined records are not those its manifest names: {folder}"
        case.differ_batch(number, m.batch, what)
