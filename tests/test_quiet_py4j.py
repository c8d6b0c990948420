"""py4j logs nothing into other tests when it collects a Java object whose connection has ended."""

from __future__ import annotations

import gc
import logging
from io import StringIO
from typing import Any

import pytest
from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def test_what_py4j_says_of_dead_connections_is_in_no_other_test_s_output(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, root = StringIO(), logging.getLogger()
    handler = logging.StreamHandler(said)
    root.addHandler(handler)
    monkeypatch.setattr(root, "level", logging.INFO)  # as Airflow's own logging has it
    try:
        client: Any = spark.sparkContext._gateway._gateway_client
        kept = spark.range(1)._jdf
        client.get_thread_connection().socket.shutdown(2)  # the other end is gone
        del kept
        gc.collect()
        assert spark.range(3).count() == 3
    finally:
        root.removeHandler(handler)
    assert said.getvalue() == ""
