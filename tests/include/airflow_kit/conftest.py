"""Imports Airflow in this process with a temporary AIRFLOW_HOME, because the import creates files there."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import warnings

HOME = tempfile.mkdtemp(prefix="caudal-airflow-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
for name in [n for n in os.environ if n.startswith("AIRFLOW")]:
    del os.environ[name]
os.environ.update(
    AIRFLOW_HOME=HOME,
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{HOME}/airflow.db",
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Airflow's own deprecations
    import airflow.providers.apache.spark.operators.spark_submit
    import airflow.sdk  # noqa: F401
