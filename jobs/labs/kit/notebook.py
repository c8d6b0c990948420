"""The first cell of a notebook: opens its lab, in a folder of its own that begins empty. `./caudal notebook`
gives Spark its options."""

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

SPEC = "spark.caudal.cuaderno"  # the Spark setting that names the spec of this home's notebooks
_BROKER_S = 5.0  # a broker on this machine answers within milliseconds
_POLL_S = 0.05
_locks: dict[Path, int] = {}  # each is held as long as this kernel lives


def abrir(nombre: str) -> Lab:
    """The lab of notebook `nombre`. Safe to run again.

    Starts Spark, or stops the queries of the Spark that this kernel has already, and empties the lab's
    folder. Raises UsageError outside `./caudal notebook`, LeaseHeld while another kernel has this notebook
    open.
    """
    if not is_name(nombre):
        raise UsageError(
            f"{nombre[:40]!r} no vale de nombre: letras minúsculas de la a a la z, cifras y _", "abrir"
        )
    _errors_in_one_line()
    with _quiet():
        spark = session.start("cuaderno")
    for query in spark.streams.active:
        core.stop(query)
    spark.streams.resetTerminated()  # awaitAnyTermination would return at once because of those
    spec = _spec(spark)
    folder = Path(spec.folder, nombre)
    _alone(folder)
    with storage.disk_errors(folder):
        storage.remove_tree(Path(spec.folder), folder)
        storage.make_dirs(folder)
    return core.of(spark, replace(spec, lab=nombre, folder=str(folder)))


def kafka(lab: Lab) -> Topics:
    """The topics of this notebook. Raises BrokerDown, which ends the notebook in one line, when no broker
    answers."""
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
    """Waits until the query has read `filas` rows in finished batches. Raises RunFailed when it fails, or
    after `plazo_s` seconds."""
    deadline = time.monotonic() + plazo_s
    while progress.rows_read(consulta) < filas:
        if not consulta.isActive or time.monotonic() > deadline:
            reason = str(consulta.exception() or f"no ha leído {filas} filas en {plazo_s:g} s")
            what = f"{consulta.name}: {' '.join(reason.split())[:300]}"
            raise RunFailed(what, "espera", cli="mira la celda en la que empieza la consulta")
        time.sleep(_POLL_S)


def para(*consultas: StreamingQuery) -> None:
    """Stops each query between two batches."""
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
    """Takes the notebook's lock for this kernel. Raises LeaseHeld."""
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
    """Keeps stderr out of the cell inside the block, and prints it when the block fails.

    A JVM that is started inside writes there as long as it lives; its warnings are in driver.log as well.
    """
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
    """Prints a foreseen error as one line in the cell, without a traceback; IPython keeps the traceback for
    %tb."""
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
