"""One run, from the lease to spark-submit: lease -> intake -> generation -> pairing -> anything waiting? ->
run spec -> exec spark-submit. In this order, and nothing else."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from include import intake, streams
from include.account import parquet_rows
from include.housekeeping import engine
from include.launch import command, ended, plan, preflight, profiles
from include.launch.request import Request
from include.settings import Settings
from include.state import generations, lease, run_ids
from jobs.contract.disk import processes, storage
from jobs.contract.errors import CaudalError, ConfigError, UsageError
from jobs.contract.run import account, report, thresholds
from jobs.contract.run.report import Report
from jobs.contract.run.spec import new_run_id
from jobs.contract.stream import Files, Stream


@dataclass(frozen=True)
class Ready:
    """Everything that exec needs. Before exec, the caller hands the lease over to the new program."""

    held: lease.Lease
    command: command.Command
    place: Path  # the working directory: the home, which is there


def ready(settings: Settings, request: Request, now: datetime) -> Ready | None:
    """The command that the launcher becomes, under the stream's lease; None when nothing was waiting. Raises
    CaudalError, also LeaseHeld.

    There is a report from the moment the lease is held. Without a command, the lease is free again.
    """
    stream = streams.get(request.stream)
    run_id = run_ids.after(settings.layout, stream.name, now)
    folder = settings.layout.run(stream.name, run_id)
    held = lease.acquire(
        settings.layout, stream.name, lease.Owner(os.getpid(), run_id, now.isoformat(), str(folder))
    )
    built = None
    try:
        built = _begun(settings, request, stream, folder, now)
    finally:
        if built is None:
            held.release()
    return Ready(held, built, settings.home) if built else None


def _begun(
    settings: Settings, request: Request, stream: Stream, folder: Path, now: datetime
) -> command.Command | None:
    """As `ready`, under the lease. The run's report says how it began or ended."""
    with storage.disk_errors(settings.home):
        ended.under_lease(settings.layout, stream.name)
    run_id = folder.name
    first = Report(
        stream=stream.name,
        run_id=run_id,
        status="running",
        started=now.isoformat(),
        airflow_run_id=request.airflow_run_id,
    )
    with storage.disk_errors(folder):
        storage.make_dirs(folder)
        _write_report(folder, first)
    try:
        with storage.disk_errors(settings.home):
            place, native = settings.tmp / command.job_name(stream.name), preflight.needs_native(stream)
            preflight.require(settings, place, stream.limits.driver_memory_mib, native=native)
            planned = prepare(settings, stream, request, run_id, now)
            built = _written(settings, request, planned, folder) if planned.waiting.anything else None
            late = None if built else _idle(settings, planned, folder, now)
    except CaudalError as error:
        error.name_stream(stream.name)
        failed = replace(first, status="failed", exit_code=int(error.exit_code), error=error.to_json())
        with suppress(OSError):  # a full disk must not hide the error; the report then stays at running
            _write_report(folder, failed)
        raise
    if late:
        raise late
    if built:
        _say(_going(planned))
    return built


def _idle(settings: Settings, planned: plan.Plan, folder: Path, now: datetime) -> CaudalError | None:
    """Writes the report of a run with nothing to do, and returns an error to raise after it: the batches of a
    killed run, reported only now, do not add up or hold more refused records than the row allows."""
    spec = planned.spec
    done = report.with_published(
        report.of(spec, "idle", _since(now)), settings.layout.output(spec.stream.name, spec.generation)
    )
    settled = account.settle(
        done, settings.layout, spec.stream, spec.reported_through, parquet_rows.parquet_rows
    )
    done = thresholds.judged(settled, spec.stream)
    _write_report(folder, done)
    late = f"; {done.records_in} records in {len(done.batches)} batches of a killed run are reported now"
    _say(f"{spec.stream.name}: nothing is waiting, Spark was not started{late if done.batches else ''}")
    return account.failure(done)


def prepare(settings: Settings, stream: Stream, request: Request, run_id: str, now: datetime) -> plan.Plan:
    """Finishes housekeeping that was cut short, takes in what lies in entrada, begins the first generation if
    there is none, and plans.

    The caller holds the lease.
    """
    layout = settings.layout
    staging = layout.staging(stream.name)
    if staging.exists():  # under both locks nobody publishes: a killed run has left this
        if any(path.is_file() for path in staging.rglob("*")):
            _say(f"{stream.name}: cleared what a killed run had left half written in _staging")
        storage.remove_tree(layout.data, staging)
    for operation in engine.redo(layout, stream.name, now):
        _say(f"{stream.name}: finished {operation.kind} {operation.id}, which had been cut short")
    generations.require_recorded(layout, stream.name)
    taken = _take_in(settings, stream)
    positions = plan.positions(settings, stream)
    generation = generations.current(layout, stream.name) or generations.begin(
        layout, plan.first_generation(stream, positions, now)
    )
    if request.close_windows and not stream.stateful:
        what = "there are no windows to close: the stream keeps no state"
        raise UsageError(what, stream.name, cli=f"./caudal run {stream.name}")
    spec = plan.spec(settings, stream, generation, run_id, request.airflow_run_id, now, request.close_windows)
    spec = replace(
        spec,
        files_admitted=len(taken.admitted),
        files_refused=len(taken.refused),
        files_waiting=len(taken.waiting),
    )
    return plan.make(settings, spec, generation, positions)


def preview(
    settings: Settings, stream: Stream, master: str, now: datetime, close_windows: bool = False
) -> tuple[plan.Plan, command.Command]:
    """What `ready` would start now if entrada were empty. Changes nothing."""
    positions = plan.positions(settings, stream)
    generation = generations.current(settings.layout, stream.name) or plan.first_generation(
        stream, positions, now
    )
    run_id = new_run_id(now)
    spec = plan.spec(settings, stream, generation, run_id, "", now, close_windows)
    planned = plan.make(settings, spec, generation, positions)
    return planned, _command(
        settings, master, planned, settings.layout.run(stream.name, run_id) / "spec.json"
    )


def _take_in(settings: Settings, stream: Stream) -> intake.Intake:
    if not isinstance(stream.source, Files):
        return intake.Intake()
    taken = intake.admit(settings.layout, stream, time.time, time.sleep)
    for refusal in taken.refused:
        folder = settings.layout.refused_files(stream.folder)
        _say(f"refused {refusal.original_name}: {refusal.reason} -> {folder}")
    for name in taken.waiting:
        _say(f"left in entrada: {name}")
    return taken


def _written(settings: Settings, request: Request, planned: plan.Plan, folder: Path) -> command.Command:
    built = _command(settings, request.master, planned, folder / "spec.json")
    storage.write_new(folder / "spec.json", planned.spec.to_json())
    _write_report(folder, report.of(planned.spec, "running"))
    return built


def _command(settings: Settings, master: str, planned: plan.Plan, spec_path: Path) -> command.Command:
    stream = planned.spec.stream
    if not (settings.root / "jobs" / f"{stream.name}.py").is_file():
        way = f"write jobs/{stream.name}.py; jobs/facturas_ficheros.py shows how"
        raise ConfigError("the stream has no job file", f"jobs/{stream.name}.py", cli=way)
    profile = profiles.choose(planned.waiting.size_bytes, planned.waiting.records)
    return command.build(settings, planned.spec, spec_path, profile, master, sys.executable)


def _write_report(folder: Path, value: Report) -> None:
    storage.replace(folder / "report.json", value.to_json())


def _since(now: datetime) -> float:
    return round(max(0.0, (datetime.now(UTC) - now).total_seconds()), 3)


def _going(planned: plan.Plan) -> str:
    work, stream = planned.waiting, planned.spec.stream
    files = f"{work.files} files, {work.size_bytes:,} bytes"
    amount = files if isinstance(stream.source, Files) else f"{work.records} records"
    amount += f" of {stream.upstream}" if stream.upstream else ""
    again = ", one batch to run again" if work.open_batch else ""
    again += ", open windows to close" if work.closing else ""
    return f"{stream.name}: {amount} waiting{again}; starting Spark, run {planned.spec.run_id}"


def _say(text: str) -> None:
    """Prints a line. If the reader has gone or the disk is full, it is lost; the run goes on, and its report
    has the result."""
    processes.tell(text)
