"""The first cell of a notebook: the lab it works with, in a folder of its own that begins empty. `./caudal notebook` gives Spark its options."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.streaming import StreamingQuery

from jobs.contract.disk import processes, storage
from jobs.contract.disk.layout import is_name
from jobs.contract.errors import BrokerDown, CaudalError, LeaseHeld, RunFailed, UsageError
from jobs.core import session
from jobs.labs.declared.lab import LabSpec
from jobs.labs.kit import lab as core
from jobs.labs.kit import progress
from jobs.labs.kit.lab import Lab
from jobs.labs.kit.topics import Topics

SPEC = "spark.caudal.cuaderno"  # a Spark setting: where the spec of this home's notebooks is
_BROKER_S, _POLL_S = 5.0, 0.05
_locks: dict[Path, int] = {}  # held as long as this kernel lives


def abrir(nombre: str) -> Lab:
    """The lab of notebook `nombre`: Spark is started or, when this kernel has it already, cleared of queries; its folder is emptied. Safe to run
    again. Raises UsageError outside `./caudal notebook`, LeaseHeld while another kernel has this notebook open."""
    if not is_name(nombre):
        raise UsageError(
            f"{nombre[:40]!r} no vale de nombre: letras minúsculas de la a a la z, cifras y _", "abrir"
        )
    _errors_in_one_line()
    with _quiet():
        spark = session.start("cuaderno")
    for query in spark.streams.active:
        core.stop(query)
    spark.streams.resetTerminated()  # else awaitAnyTermination would tell of those
    spec = _spec(spark)
    folder = Path(spec.folder, nombre)
    _alone(folder)
    with storage.disk_errors(folder):
        storage.remove_tree(Path(spec.folder), folder)
        storage.make_dirs(folder)
    return core.of(spark, replace(spec, lab=nombre, folder=str(folder)))


def kafka(lab: Lab) -> Topics:
    """Topics of this notebook's own. Raises BrokerDown, which ends the notebook in one line, when no broker answers."""
    way_out = "./caudal up; después, otra vez ./caudal notebook"
    if lab.broker is None:
        raise BrokerDown(
            "este cuaderno necesita Kafka, y aquí no se ha arrancado todavía", lab.folder, cli=way_out
        )
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    try:
        AdminClient({**lab.broker.librdkafka(), "log_level": 0}).list_topics(timeout=_BROKER_S)
    except KafkaException as error:
        raise BrokerDown(
            f"este cuaderno necesita Kafka, y no contesta ({error.args[0].str()})",
            lab.broker.bootstrap,
            cli=way_out,
        ) from None
    return lab.topics


def espera(consulta: StreamingQuery, filas: int, plazo_s: float = 60.0) -> None:
    """Until the query has read `filas` rows in finished batches. Raises RunFailed when it fails, or after `plazo_s`."""
    deadline = time.monotonic() + plazo_s
    while progress.rows_read(consulta) < filas:
        if not consulta.isActive or time.monotonic() > deadline:
            told = " ".join(
                str(consulta.exception() or f"no ha leído {filas} filas en {plazo_s:g} s").split()
            )[:300]
            raise RunFailed(
                f"{consulta.name}: {told}", "espera", cli="mira la celda en la que empieza la consulta"
            )
        time.sleep(_POLL_S)


def para(*consultas: StreamingQuery) -> None:
    """Stops each between two batches."""
    for consulta in consultas:
        core.stop(consulta)


def _spec(spark: SparkSession) -> LabSpec:
    path = Path(spark.conf.get(SPEC, "") or "/nowhere")
    if not path.is_file():
        raise UsageError(
            "este cuaderno se abre con ./caudal notebook: de ahí salen Java, los jars y su carpeta",
            "abrir",
            cli="./caudal notebook",
        )
    return LabSpec.from_json(path.read_bytes(), path)


def _alone(folder: Path) -> None:
    if folder in _locks:
        return
    path = folder.with_name(f".{folder.name}.lock")
    with storage.disk_errors(path):
        held = processes.lock(path)
    if held is None:
        raise LeaseHeld(
            "otro kernel tiene abierto este cuaderno",
            path,
            cli="en JupyterLab: Kernel > Shut Down All Kernels, y otra vez esta celda",
        )
    _locks[folder] = held


@contextmanager
def _quiet() -> Iterator[None]:
    """What is started meanwhile writes its stderr apart (a JVM for as long as it lives: its warnings are in driver.log, too); shown when it fails."""
    with tempfile.TemporaryFile() as aside:
        before = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.seek(0)
            print(aside.read().decode("utf-8", "replace"), flush=True)
            raise
        finally:
            os.dup2(before, 2)
            os.close(before)


def _errors_in_one_line() -> None:
    """A foreseen error is its own line in the cell, without a traceback; IPython keeps it for %tb."""
    from IPython import get_ipython

    if shell := get_ipython():
        shell.set_custom_exc((CaudalError,), _one_line)


def _one_line(
    shell: Any,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType,
    tb_offset: int | None = None,
) -> list[str]:
    print(f"caudal: {error}", flush=True)
    return [str(error)]
