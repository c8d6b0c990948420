"""One run of one lab: `python jobs/lab.py --spec PATH`. What it found goes into facts.json beside the
spec."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import traceback
from pathlib import Path

from jobs.contract.disk import processes
from jobs.contract.errors import (
    BrokenStream,
    CaudalError,
    ConfigError,
    DiskFull,
    ExitCode,
    OffsetsLost,
    ServiceError,
    StateUnusable,
    TopicMissing,
)
from jobs.core import run, session
from jobs.labs.declared.lab import LabSpec
from jobs.labs.kit import lab

_FORESEEN: dict[type[CaudalError], str] = {
    DiskFull: "no queda sitio en el disco",
    TopicMissing: "Kafka no tiene ese topic",
    OffsetsLost: "faltan en el topic offsets que quedaban por leer",
    ConfigError: "el usuario no puede hacer en Kafka lo que el laboratorio necesita",
    ServiceError: "Kafka no ha contestado a tiempo",
    StateUnusable: (
        "el estado del checkpoint falta, no se puede leer, o es de otra transformación: sin --keep se "
        "empieza de cero"
    ),
    BrokenStream: (
        "este modo de salida necesita otra agregación: con append, withWatermark(…) y su ventana en groupBy"
    ),
}


def main() -> int:
    """Returns the ExitCode; a foreseen error is one line."""
    parser = argparse.ArgumentParser(description="A lab. Start it with ./caudal lab NAME")
    parser.add_argument("--spec", type=Path, required=True)
    path: Path = parser.parse_args().spec
    processes.die_with_parent(os.getppid())
    spec = LabSpec.from_json(path.read_bytes(), path)
    try:
        with session.opened(f"lab-{spec.lab}") as spark:
            found = importlib.import_module(f"jobs.labs.{spec.program}").run(lab.of(spark, spec))
    except CaudalError as error:
        error.way_cli = error.way_cli if "STREAM" not in error.way_cli else f"./caudal lab {spec.lab}"
        print(f"caudal: {error}", flush=True)
        return int(error.exit_code)
    except Exception as error:
        with path.with_name("driver.log").open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        told = _told(error, path.with_name("driver.log"), spec.lab)
        print(f"caudal: {told}", flush=True)
        return int(told.exit_code)
    path.with_name("facts.json").write_text(
        json.dumps(found, ensure_ascii=False, default=str), encoding="utf-8"
    )
    return int(ExitCode.DONE)


def _told(error: Exception, log: Path, name: str) -> CaudalError:
    """As run.foreseen, in Spanish; of what was not foreseen Spark's or Python's own words."""
    told = run.foreseen(error, log)
    return type(told)(
        _FORESEEN.get(type(told), told.what),
        log,
        cli=f"lee el driver.log nombrado; después, otra vez: ./caudal lab {name}",
    )


if __name__ == "__main__":
    sys.exit(main())
