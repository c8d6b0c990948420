"""Checks one stream: lease, newest run, generation, checkpoint against output, ledger against files."""

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
    """Every check of the stream. While a run holds the lease only that is reported: all the rest is in
    motion."""
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
    process = processes.describe(owner.pid) if owner.pid else "state unknown"
    text = f"{who}: pid {owner.pid or 'unknown'}, {process}, since {owner.started or 'unknown'}"
    if state in ("T", "t"):  # stopped, by Ctrl-Z or a debugger
        fix = f"kill -CONT {owner.pid} lets it go on, kill -KILL {owner.pid} ends it (both are safe)"
        return wrong(name, f"{text} [{owner.run_dir}]", fix)
    return ok(name, text)


def newest_run(layout: Layout, stream: Stream, name: str) -> Iterator[Finding]:
    """What the newest report says. If it says `running` and nobody holds the lease, the run has died."""
    path = next(report.newest(layout.runs(stream.name)), None)
    newest = report.read(path) if path else None
    if path is None or newest is None:
        yield note(name, "never run", f"./caudal run {stream.name}")
    elif newest.status == "running":
        what = f"run {newest.run_id} died: it says running, and nobody holds the lease [{path.parent}]"
        yield note(name, what, f"./caudal run {stream.name} finishes what it began and reports its batches")
    elif newest.status == "failed":
        yield failed(stream, name, newest, path)
    else:
        counts = (
            f"{newest.records_in} records in, {newest.rows_out} rows out, {newest.quarantined} quarantined"
        )
        yield ok(name, f"newest run {newest.status}, {_time(newest)}: {counts}")


def failed(stream: Stream, name: str, newest: Report, path: Path) -> Finding:
    error = newest.error or {}
    why, where = error.get("what", f"exit code {newest.exit_code}"), error.get("where") or path.parent
    what = f"newest run failed, {_time(newest)}: {why} [{where}]"
    if newest.exit_code == ExitCode.HELD:
        return note(name, what, f"./caudal run {stream.name}")
    remedy = error.get("cli") or f"read {path.parent}/driver.log"
    return wrong(name, what, f"{remedy}; then ./caudal run {stream.name}")


def _time(newest: Report) -> str:
    try:
        return f"{datetime.fromisoformat(newest.started):%Y-%m-%d %H:%M:%S}Z"
    except ValueError:
        return newest.started


def generation(layout: Layout, stream: Stream, name: str) -> Iterator[Finding]:
    """Whether the generation record is there, and its checkpoint matches its output."""
    current = generations.current(layout, stream.name)
    folders = _numbers(layout.checkpoint(stream.name, 1).parent) + _numbers(layout.salida(stream.name))
    first, last = min(folders, default=0), max(folders, default=0)
    if current is None:
        if folders:
            what = f"checkpoint or output of generation {first} without its record"
            record = layout.generation_record(stream.name, first)
            yield wrong(name, f"{what} [{record}]", "restore the record from a backup")
        return
    if current.stream != stream.name or last > current.number:
        record = layout.generation_record(stream.name, current.number)
        newest = f"newest record is of {current.stream} {current.number}"
        what = f"{newest}, folders reach generation {last or 'none'} [{record}]"
        yield wrong(name, what, "restore the missing record from a backup")
        return
    yield from paired(layout, stream, name, current.number)


def _numbers(folder: Path) -> list[int]:
    names = folder.iterdir() if folder.is_dir() else ()
    return [n for path in names if (n := parse_generation(path.name)) is not None]


def paired(layout: Layout, stream: Stream, name: str, number: int) -> Iterator[Finding]:
    """Compares checkpoint and output; then the files of a batch that Spark will run again, and what was read
    of the upstream stream."""
    facts = pairing.facts(layout, stream.name, number)
    verdict = protocol.pairing(facts)
    if isinstance(verdict, protocol.Refuse):
        what = f"{verdict.why} ({verdict.rule}) [{layout.checkpoint(stream.name, number)}]"
        yield wrong(name, what, PairingBroken.cli.replace("STREAM", stream.name))
        return
    rerun = verdict.step is protocol.Next.RERUN
    if rerun and stream.folder and (lost := list(_lost_inputs(layout, stream, number, verdict.batch))):
        what = f"batch {verdict.batch} is planned, and its input is not as admitted: {_listed(lost)}"
        put_back = f"put them back as they were into {layout.en_proceso(stream.folder)}"
        yield wrong(name, what, f"{put_back}, then ./caudal run {stream.name}")
        return
    if stream.upstream:  # both raise when what was read or planned is no longer there
        upstream.unread(layout, stream, number)
        if rerun:
            plan = batch_plan.read(layout.checkpoint(stream.name, number), verdict.batch, "")
            planned(layout, stream.upstream, plan.files)
    again = f", batch {verdict.batch} to run again" if rerun else ""
    matches = f"generation {number}: checkpoint and output match"
    yield ok(name, f"{matches}, {len(facts.published)} batches published{again}")


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
    """Whether the intake ledger is readable and whole, and has the size of every admitted file. Nothing for a
    Kafka source."""
    if not stream.folder:
        return
    path = layout.ledger(stream.folder)
    names = intake.waiting_files(layout, stream)
    if not path.is_file():
        if names:
            what = f"no intake ledger, {len(names)} files admitted [{path}]"
            yield note(name, what, f"./caudal run {stream.name} rebuilds it from the file names")
    elif path.with_name(f"{path.name}-journal").exists():
        # reading the ledger would roll the write back, and doctor changes nothing
        what = f"a write to the intake ledger was cut short [{path}]"
        yield note(name, what, f"./caudal run {stream.name} rolls that back")
    else:
        yield from _compare(layout, stream, name, names)


def unread(layout: Layout, stream: Stream, name: str) -> Iterator[Finding]:
    """Admitted files that no batch has read, though a run has ended since. Nothing when there are none."""
    entries = []
    with suppress(CaudalError):  # `generation` reports a checkpoint or record that cannot be read
        entries = passed_over.find(layout, stream)
    if entries:
        names = _listed([entry.name for entry in entries])
        what = f"admitted, but no batch has read it, though a run has ended since: {names}"
        fix = passed_over.remedy(stream, entries[0])
        yield wrong(name, f"{what} [{layout.en_proceso(stream.folder)}]", fix)


def _compare(layout: Layout, stream: Stream, name: str, names: tuple[str, ...]) -> Iterator[Finding]:
    path, folder = layout.ledger(stream.folder), layout.en_proceso(stream.folder)
    with ledger.reader(path) as db:
        fault = _fault(db)
        entries = {} if fault else {entry.name: entry for entry in ledger.select(db, "name", names)}
    odd = [f"{n} ({reason})" for n in names if (reason := _lost(folder / n, entries.get(n)))]
    if fault:
        fix = f"mv {path} {path}.damaged; ./caudal run {stream.name} rebuilds it"
        yield wrong(name, f"the intake ledger is damaged: {fault} [{path}]", fix)
    elif odd:
        what = f"files in en_proceso are not as admitted: {_listed(odd)} [{folder}]"
        yield wrong(name, what, "put them back as they were; the ledger has their sizes")
    else:
        yield ok(name, f"intake ledger whole, {len(names)} files in en_proceso as admitted")
        yield from unread(layout, stream, name)


def _fault(db: sqlite3.Connection) -> str:
    """What SQLite finds wrong with the ledger; empty when it is whole. Version 0 is an empty new file."""
    verdict = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    if verdict != "ok":
        return verdict
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    return "" if version in (0, ledger.VERSION) else f"version {version} instead of {ledger.VERSION}"


def _listed(items: list[str]) -> str:
    return ", ".join(items[:_SHOWN]) + (f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else "")
