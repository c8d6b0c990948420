"""One run of one lab: options -> spec -> spark-submit in the foreground. One run of a lab at a time, in a
folder of its own that begins empty."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from include.kafka import connection
from include.launch import command, ended, preflight
from include.services import files, ports
from include.settings import Settings
from include.setup import jars
from jobs.contract.disk import processes, storage
from jobs.contract.errors import BrokenStream, BrokerDown, ConfigError, LeaseHeld, UsageError
from jobs.labs.declared import castellano
from jobs.labs.declared.ends import Pipeline
from jobs.labs.declared.lab import Lab, LabSpec, Value

UI_PORT = 4040
_MEMORY_MIB = 1024  # of the driver; labs read some hundred rows
_SESSION = {  # the options that the jars of a set need when the session is created
    "delta": (
        "spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.debug.maxToStringFields=1000",  # no warning about the plan of its own log
        "spark.databricks.delta.snapshotPartitions=2",  # of its log; the default is 50 tasks for a few lines
    )
}


@dataclass(frozen=True)
class Prepared:
    """A run that can be executed: the command, and the spec that it runs."""

    spec: LabSpec
    path: Path
    command: command.Command


def folder(settings: Settings, name: str) -> Path:
    return settings.layout.lab(name)


def events(settings: Settings) -> Path:
    """The folder of Spark's event logs, which labs with a UI write and the History Server reads."""
    return settings.layout.labs / ".eventos"


def running(settings: Settings) -> dict[str, str]:
    """Name -> address of Spark's UI, of the labs that run now and have one."""
    addresses = {}
    for path in sorted(settings.layout.labs.glob("*/spec.json")):
        name = path.parent.name
        if not processes.is_locked(_lock(settings, name)):
            continue
        if port := LabSpec.from_json(path.read_bytes(), path).ui_port:
            addresses[name] = f"http://{ports.HOST}:{port}"
    return addresses


def _lock(settings: Settings, name: str) -> Path:
    return settings.layout.labs / f".{name}.lock"


@contextlib.contextmanager
def alone(settings: Settings, name: str) -> Iterator[None]:
    """Holds the lab's lock inside the block, so nobody else runs it in this home. Raises LeaseHeld."""
    path = _lock(settings, name)
    with storage.disk_errors(path):
        storage.make_dirs(path.parent)
        held = processes.lock(path)
    if held is None:
        way_out = "espera a que acabe, o páralo con Ctrl-C donde corre"
        raise LeaseHeld("este laboratorio ya se está ejecutando", path, cli=way_out)
    try:
        yield
    finally:
        os.close(held)


def prepare(settings: Settings, lab: Lab, values: Mapping[str, Value], *, keep: bool = False) -> Prepared:
    """Checks the lab's way, empties its folder (unless `keep`), writes the spec. The caller holds `alone`.

    Raises UsageError for values that no end takes, Refused for a way that Spark cannot go, BrokerDown when it
    needs a broker and none is known, ConfigError, InstallationError.
    """
    pipeline = _pipeline(lab, values)
    if pipeline:
        castellano.require(pipeline, lab.name)
    program = f"jobs/labs/{lab.program.replace('.', '/')}.py"
    if not (settings.root / program).is_file():
        way_out = "escríbelo; jobs/labs/temas/uniones.py enseña cómo"
        raise ConfigError("el laboratorio no tiene programa", program, cli=way_out)
    needs_broker = lab.broker or (lab.kafka and lab.kafka(values)) or (pipeline and "kafka" in pipeline.kinds)
    bootstrap = _bootstrap(settings) if needs_broker else ""
    place = folder(settings, lab.name)
    with storage.disk_errors(place):
        if not keep:
            storage.remove_tree(settings.layout.labs, place)
        storage.make_dirs(place)
        spec = _spec(settings, lab, values, place, bootstrap, pipeline)
        spec.stop.unlink(missing_ok=True)
        for name, text in (lab.sample(values) if lab.sample else {}).items():
            storage.make_dirs((place / name).parent)
            (place / name).write_text(text, encoding="utf-8")
        files.write(place / "spec.json", spec.to_json().decode(), 0o600)  # an option may contain a password
    preflight.require(settings, settings.tmp / f"lab-{lab.name}", _MEMORY_MIB, native=True)
    return Prepared(spec, place / "spec.json", _command(settings, lab, spec, place / "spec.json"))


def _bootstrap(settings: Settings) -> str:
    try:
        return connection.bootstrap(settings)
    except BrokerDown as error:
        way_out = "./caudal up; después, otra vez el laboratorio"
        raise BrokerDown(
            "este laboratorio necesita Kafka, y aquí no se ha arrancado todavía", error.where, cli=way_out
        ) from None


def _sets(lab: Lab, pipeline: Pipeline | None) -> tuple[str, ...]:
    return (*lab.ivy, *(("delta",) if pipeline and pipeline.kinds[1] == "delta" else ()))


def _pipeline(lab: Lab, values: Mapping[str, Value]) -> Pipeline | None:
    try:
        return lab.pipeline(values) if lab.pipeline else None
    except (
        BrokenStream,
        UsageError,
    ) as error:  # in a row it would be the row's fault; here the values were typed
        where = error.where if isinstance(error, UsageError) else lab.name
        more = (
            f"{error.way_cli}; " if isinstance(error, UsageError) and error.way_cli != UsageError.cli else ""
        )
        raise UsageError(error.what, where, cli=f"{more}./caudal lab {lab.name} --help") from None


def _spec(
    settings: Settings,
    lab: Lab,
    values: Mapping[str, Value],
    place: Path,
    bootstrap: str,
    pipeline: Pipeline | None,
) -> LabSpec:
    port = next(port for port in range(UI_PORT, 65536) if not ports.why_not(port)) if lab.ui else 0
    properties = str(settings.kafka_properties or "")
    paths = tuple(str(path) for name in _sets(lab, pipeline) for path in jars.of_set(settings, name))
    home, options = str(settings.home), dict(values)
    kafka = bootstrap, properties
    return LabSpec(lab.name, home, str(place), options, *kafka, port, pipeline, paths, lab.program)


def _command(settings: Settings, lab: Lab, spec: LabSpec, path: Path) -> command.Command:
    logs = events(settings)
    conf = ["spark.ui.enabled=false"]
    if lab.ui:
        storage.make_dirs(logs)
        conf = [
            "spark.ui.enabled=true",
            f"spark.ui.port={spec.ui_port}",
            "spark.eventLog.enabled=true",
            f"spark.eventLog.dir={logs.as_uri()}",
        ]
    conf.append(f"spark.sql.warehouse.dir={Path(spec.folder, 'warehouse')}")
    conf += [line for name in _sets(lab, spec.pipeline) for line in _SESSION.get(name, ())]
    conf.append("spark.sql.streaming.numRecentProgressUpdates=100000")  # labs count rows and batches by them
    java = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", f"-Dderby.system.home={spec.folder}")
    program, paths = settings.root / "jobs" / "lab.py", tuple(map(Path, spec.jars))
    job = command.Job(f"lab-{lab.name}", program, path, _MEMORY_MIB, java, tuple(conf), paths)
    return command.submit(settings, job, settings.master, sys.executable)


def execute(run: Prepared) -> int:
    """Runs it to its end, its output passed through; the exit code. The first Ctrl-C asks it to end
    gracefully, the second one kills it.

    Raises DriverDied when its exit code is not a documented one.
    """
    us = os.getpid()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends it as Ctrl-C does
    with subprocess.Popen(
        run.command.argv,
        env=run.command.environ,
        cwd=run.spec.folder,
        start_new_session=True,
        preexec_fn=lambda: processes.die_with_parent(us),
    ) as child:
        interrupted = False
        try:
            child.wait()
        except KeyboardInterrupt:
            interrupted = True
            print("\ntermina al acabar este batch; otra vez Ctrl-C lo mata", flush=True)
            run.spec.stop.touch()
            try:
                child.wait()
            except KeyboardInterrupt:
                child.kill()
    if ended.is_documented(child.returncode):
        return child.returncode
    if interrupted:
        return 130
    log = run.path.with_name("driver.log")
    raise ended.died(child.returncode, ended.tail(log), log)
