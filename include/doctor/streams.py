"""One stream: lease, newest run, generation, checkpoint against output, ledger against files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from include import intake
from include.account import passed_over
from include.doctor.findings import Finding, note, of_error, ok, wrong
from include.state import generations, lease, pairing, upstream
from jobs.contract.commit import batch_plan, checkpoint, protocol
from jobs.contract.commit.upstream import planned
from jobs.contract.disk import ledger, processes
from jobs.contract.disk.layout import Layout, parse_generation
from jobs.contract.errors import CaudalError, ExitCode, PairingBroken
from jobs.contract.run import report
from jobs.contract.run.report import Report
from jobs.contract.stream import Stream

_SHOWN = 3  # names in one line


def examine(layout: Layout, stream: Stream) -> Iterator[Finding]:
    """All of it. While a run holds the lease, only that: everything else is in motion."""
    name = f"stream {stream.name}"
    owner = lease.holder(layout, stream.name)
    if owner is not None:
        yield held(name, owner)
        return
    for part in (newest_run, generation, books):
        try:
            yield from part(layout, stream, name)
        except (CaudalError, OSError, ValueError) as error:  # one broken part does not hide the others
            yield of_error(name, error)


def held(name: str, owner: lease.Owner) -> Finding:
    state = processes.process_state(owner.pid) if owner.pid else None
    who = f"run {owner.run_id} under way" if owner.run_id else "the lease is held"
    text = f"{who}: pid {owner.pid or 'unknown'}, {processes.describe(owner.pid) if owner.pid else 'state unknown'}, since {owner.started or 'unknown'}"
    if state in ("T", "t"):
        return wrong(
            name,
            f"{text} [{owner.run_dir}]",
            f"kill -CONT {owner.pid} lets it go on, kill -KILL {owner.pid} ends it (both are safe)",
        )
    return ok(name, text)


def newest_run(layout: Layout, stream: Stream, name: str) -> Iterator[Finding]:
    """What the newest report says; `running` without a lease holder means that the run died."""
    path = next(report.newest(layout.runs(stream.name)), None)
    found = report.read(path) if path else None
    if path is None or found is None:
        yield note(name, "never run", f"./caudal run {stream.name}")
    elif found.status == "running":
        yield note(
            name,
            f"run {found.run_id} died: it says running, and nobody holds the lease [{path.parent}]",
            f"./caudal run {stream.name} ends what it began and reports its batches",
        )
    elif found.status == "failed":
        yield failed(stream, name, found, path)
    else:
        yield ok(
            name,
            f"newest run {found.status}, {_time(found)}: {found.records_in} records in, {found.rows_out} rows out, {found.quarantined} quarantined",
        )


def failed(stream: Stream, name: str, found: Report, path: Path) -> Finding:
    error = found.error or {}
    what = f"newest run failed, {_time(found)}: {error.get('what', f'exit code {found.exit_code}')} [{error.get('where') or path.parent}]"
    if found.exit_code == ExitCode.HELD:
        return note(name, what, f"./caudal run {stream.name}")
    return wrong(
        name, what, f"{error.get('cli') or f'read {path.parent}/driver.log'}; then ./caudal run {stream.name}"
    )


def _time(found: Report) -> str:
    try:
        return f"{datetime.fromisoformat(found.started):%Y-%m-%d %H:%M:%S}Z"
    except ValueError:
        return found.started


def generation(layout: Layout, stream: Stream, name: str) -> Iterator[Finding]:
    """The generation record, and whether its checkpoint matches its output."""
    current = generations.current(layout, stream.name)
    orphans = sorted(
        set(_numbers(layout.checkpoint(stream.name, 1).parent) + _numbers(layout.salida(stream.name)))
    )
    if current is None:
        if orphans:
            record = layout.generation_record(stream.name, orphans[0])
            yield wrong(
                name,
                f"checkpoint or output of generation {orphans[0]} without its record [{record}]",
                "restore the record from a backup",
            )
        return
    if current.stream != stream.name or (orphans and orphans[-1] > current.number):
        record = layout.generation_record(stream.name, current.number)
        yield wrong(
            name,
            f"newest record is of {current.stream} {current.number}, folders reach generation {orphans[-1:] or 'none'} [{record}]",
            "restore the missing record from a backup",
        )
        return
    yield from paired(layout, stream, name, current.number)


def _numbers(folder: Path) -> list[int]:
    return (
        [n for path in folder.iterdir() if (n := parse_generation(path.name)) is not None]
        if folder.is_dir()
        else []
    )


def paired(layout: Layout, stream: Stream, name: str, number: int) -> Iterator[Finding]:
    """Checkpoint against output, then the files of a batch that Spark will run again, and what was read of another stream."""
    facts = pairing.facts(layout, stream.name, number)
    verdict = protocol.pairing(facts)
    if isinstance(verdict, protocol.Refuse):
        yield wrong(
            name,
            f"{verdict.why} ({verdict.rule}) [{layout.checkpoint(stream.name, number)}]",
            PairingBroken.cli.replace("STREAM", stream.name),
        )
        return
    if (
        verdict.step is protocol.Next.RERUN
        and stream.folder
        and (lost := list(_lost_inputs(layout, stream, number, verdict.batch)))
    ):
        yield wrong(
            name,
            f"batch {verdict.batch} is planned, and its input is not as admitted: {_listed(lost)}",
            f"put them back as they were into {layout.en_proceso(stream.folder)}, then ./caudal run {stream.name}",
        )
        return
    if stream.upstream:
        upstream.unread(layout, stream, number)
        if verdict.step is protocol.Next.RERUN:
            planned(
                layout,
                stream.upstream,
                batch_plan.read(layout.checkpoint(stream.name, number), verdict.batch, "").files,
            )
    again = f", batch {verdict.batch} to run again" if verdict.step is protocol.Next.RERUN else ""
    yield ok(
        name,
        f"generation {number}: checkpoint and output match, {len(facts.published)} batches published{again}",
    )


def _lost_inputs(layout: Layout, stream: Stream, number: int, batch: int) -> Iterator[str]:
    path = layout.checkpoint(stream.name, number)
    files = batch_plan.read(path, batch, checkpoint.read(path).query_id or "").files
    entries = ledger.lookup(layout.ledger(stream.folder), [file.name for file in files])
    for file in files:
        if reason := _lost(layout.en_proceso(stream.folder) / file.name, entries.get(file.name)):
            yield f"{file.name} ({reason})"


def _lost(path: Path, entry: ledger.Entry | None) -> str:
    if entry is None:
        return "not in the ledger"
    try:
        size = path.lstat().st_size
    except FileNotFoundError:
        return "not there"
    return "" if size == entry.size_bytes else f"{size} bytes, {entry.size_bytes} at intake"


def books(layout: Layout, stream: Stream, name: str) -> Iterator[Finding]:
    """The intake ledger: readable, whole, and of every admitted file the size. Nothing for a Kafka source."""
    if not stream.folder:
        return
    path = layout.ledger(stream.folder)
    names = intake.waiting_files(layout, stream)
    if not path.is_file():
        if names:
            yield note(
                name,
                f"no intake ledger, {len(names)} files admitted [{path}]",
                f"./caudal run {stream.name} rebuilds it from the file names",
            )
    elif path.with_name(
        f"{path.name}-journal"
    ).exists():  # reading it would roll back, and doctor changes nothing
        yield note(
            name,
            f"the intake ledger was cut in mid write [{path}]",
            f"./caudal run {stream.name} rolls that back",
        )
    else:
        yield from _compare(layout, stream, name, names)


def unread(layout: Layout, stream: Stream, name: str) -> Iterator[Finding]:
    """Admitted files that no batch has read though a run has ended since; nothing when there is none."""
    found = []
    with suppress(CaudalError):  # a checkpoint or record that cannot be read is told by `generation`
        found = passed_over.find(layout, stream)
    if found:
        names = _listed([entry.name for entry in found])
        what = f"admitted, but no batch has read it, though a run has ended since: {names}"
        yield wrong(
            name, f"{what} [{layout.en_proceso(stream.folder)}]", passed_over.remedy(stream, found[0])
        )


def _compare(layout: Layout, stream: Stream, name: str, names: tuple[str, ...]) -> Iterator[Finding]:
    path, folder = layout.ledger(stream.folder), layout.en_proceso(stream.folder)
    with ledger.reader(path) as db:
        fault = _fault(db)
        entries = {} if fault else {entry.name: entry for entry in ledger.select(db, "name", names)}
    odd = [f"{n} ({reason})" for n in names if (reason := _lost(folder / n, entries.get(n)))]
    if fault:
        yield wrong(
            name,
            f"the intake ledger is damaged: {fault} [{path}]",
            f"mv {path} {path}.damaged; ./caudal run {stream.name} rebuilds it",
        )
    elif odd:
        yield wrong(
            name,
            f"files in en_proceso are not as admitted: {_listed(odd)} [{folder}]",
            "put them back as they were; the ledger has their sizes",
        )
    else:
        yield ok(name, f"intake ledger whole, {len(names)} files in en_proceso as admitted")
        yield from unread(layout, stream, name)


def _fault(db: sqlite3.Connection) -> str:
    found = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    return (
        found
        if found != "ok"
        else ""
        if version in (0, ledger.VERSION)
        else f"version {version} instead of {ledger.VERSION}"
    )


def _listed(items: list[str]) -> str:
    return ", ".join(items[:_SHOWN]) + (f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else "")
