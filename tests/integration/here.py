"""Runs in this process on the shared Spark session: everything but exec and the start and end of Spark.

A run takes one second instead of six.
"""

from __future__ import annotations

import os
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from include import streams
from include.launch import run as launcher
from include.launch.request import Request
from include.state import lease
from include.torture import runs
from jobs.contract.disk import storage
from jobs.contract.errors import CaudalError
from jobs.contract.run import account
from jobs.contract.run.spec import RunSpec, new_run_id
from jobs.core import run as driver
from jobs.core.read.records import Subject
from jobs.core.session import SETTINGS
from jobs.domain import bizums, facturas, iot

INVOICES, READINGS = Subject(facturas.SCHEMA, dict(facturas.RULES)), Subject(iot.SCHEMA, dict(iot.RULES))
BOUND: dict[str, tuple[Subject, Any]] = {  # as in jobs/<stream>.py
    "facturas_ficheros": (INVOICES, facturas.lineas),
    "facturas_kafka": (INVOICES, facturas.lineas),
    "notificaciones": (INVOICES, facturas.notificaciones),
    "temperaturas": (READINGS, iot.lecturas),
    "temperaturas_ventanas": (Subject(iot.SCHEMA, {}), iot.ventanas),
    "temperaturas_maxima": (Subject(iot.SCHEMA, {}), iot.maximas),
    "bizums": (Subject(bizums.SCHEMA, dict(bizums.RULES)), bizums.recibidos),
    "bizums_fechados": (Subject(bizums.DATED, bizums.DATED_RULES), bizums.recibidos),
    "bizums_por_dia": (Subject(bizums.DATED, {}), bizums.maximos_por_dia),
}


@dataclass
class Home(runs.Home):
    """As runs.Home, but `run` starts no process. `close`: whether a run closes windows."""

    spark: Any = None
    close: bool = False

    @classmethod
    def on(cls, spark: Any, path: Path, stream: str, bootstrap: str = "") -> Home:
        for key, value in SETTINGS.items():
            spark.conf.set(key.removeprefix("spark.hadoop."), value)
        return cls(runs.Home.at(path, stream, bootstrap).settings, stream, spark)

    def run(self, *words: str) -> tuple[int, str]:
        """Exit code and output, as the launcher and the driver give them."""
        assert not words, "only the launcher takes options: use runs.Home"
        code = 0
        with redirect_stdout(StringIO()) as out:
            try:
                self.attempt()
            except CaudalError as error:
                print(error)
                code = int(error.exit_code)
        return code, out.getvalue()

    def attempt(self) -> None:
        """One run with the real lease, intake, pairing, plan, query, publish and report. Raises
        CaudalError."""
        now = datetime.now(UTC)
        stream, run_id, layout = streams.get(self.stream), new_run_id(now), self.settings.layout
        folder = layout.run(self.stream, run_id)
        with lease.acquire(
            layout, self.stream, lease.Owner(os.getpid(), run_id, now.isoformat(), str(folder))
        ):
            storage.make_dirs(folder)
            made = launcher.prepare(
                self.settings, stream, Request(self.stream, "", "local[2]", self.close), run_id, now
            )
            if not made.waiting.anything:
                _raise(launcher._idle(self.settings, made, folder, now))
                return
            spec = RunSpec.from_json(made.spec.to_json(), folder)
            query = driver.stream(self.spark, spec, *BOUND[self.stream])
            done = driver._final(layout, spec, query, None, 0.0)
            driver._write(layout, done)
            _raise(account.failure(done))


def _raise(error: CaudalError | None) -> None:
    if error:
        raise error
