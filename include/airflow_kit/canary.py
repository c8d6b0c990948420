"""The work of the DAG caudal_canary: the first steps of a stream's run, without a stream."""

from __future__ import annotations

import os

from include.airflow_kit import failures
from include.airflow_kit.operator import LAUNCHER
from include.services import files
from include.settings import Settings
from include.setup import class_data, java, jvm
from jobs.contract.errors import InstallationError


def work(settings: Settings) -> None:
    """Writes a file where runs write, and looks for everything that starts a driver. Raises Airflow's error
    with one line."""
    with failures.one_line():
        # runs/ is where each run writes first; a stream's name never begins with a dot
        probe = settings.layout.data.parent / "runs" / ".canary"
        files.write(probe, "the newest canary was here\n")
        probe.unlink()
        jvm.driver_class_path(settings)
        spark_submit = class_data.spark_home() / "bin" / "spark-submit"
        for program in (LAUNCHER, java.find(settings).binary, spark_submit):
            if not os.access(program, os.X_OK):
                way = "chmod a+x the file named here"
                raise InstallationError("this user may not run it", program, cli=way)
