"""The first cell of a notebook, on the shared Spark session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.torture.brokers import free_ports
from jobs.contract.disk import processes
from jobs.contract.errors import BrokerDown, LeaseHeld, RunFailed, UsageError
from jobs.contract.kafka.connection import Connection
from jobs.labs.declared.ends import Memory, Pipeline, Rate
from jobs.labs.declared.lab import LabSpec
from jobs.labs.kit import notebook
from jobs.labs.kit.lab import Lab

pytestmark = pytest.mark.spark


@pytest.fixture
def home(spark: Any, tmp_path: Path) -> Iterator[Path]:
    """The folder of the notebooks' labs, as `./caudal notebook` tells Spark of it."""
    folder = tmp_path / "cuadernos"
    folder.mkdir()
    (folder / "spec.json").write_bytes(LabSpec("cuadernos", str(tmp_path), str(folder), {}).to_json())
    spark.conf.set(notebook.SPEC, str(folder / "spec.json"))
    yield folder
    spark.conf.unset(notebook.SPEC)
    for lock in notebook._locks.values():
        os.close(lock)
    notebook._locks.clear()


def test_opening_again_empties_the_folder_and_ends_the_queries_that_still_run(spark: Any, home: Path) -> None:
    lab = notebook.abrir("uno")
    lab.path("resto").write_text("de antes")
    query = lab.start(lab.read(Rate(10)), Pipeline(Rate(10), Memory("uno"), trigger="default"), "uno")
    assert (lab.folder, query.isActive) == (home / "uno", True)
    again = notebook.abrir("uno")
    assert not spark.streams.awaitAnyTermination(0.01)  # of this opening's queries, not of those before
    assert (query.isActive, list(again.folder.iterdir())) == (False, [])


def test_a_second_kernel_is_refused_and_the_folder_stays(home: Path) -> None:
    (home / "uno").mkdir()
    (home / "uno" / "dato").touch()
    held = processes.lock(home / ".uno.lock")
    with pytest.raises(LeaseHeld, match="otro kernel"):
        notebook.abrir("uno")
    assert held is not None
    os.close(held)
    assert (home / "uno" / "dato").exists()


def test_outside_of_caudal_notebook_it_says_how_to_open_it(spark: Any) -> None:
    with pytest.raises(UsageError, match=r"se abre con \./caudal notebook"):
        notebook.abrir("uno")


def test_a_name_that_leads_out_of_the_folder_is_refused(home: Path) -> None:
    with pytest.raises(UsageError, match="no vale de nombre"):
        notebook.abrir("../otro")
    assert list(home.parent.iterdir()) == [home]


def test_kafka_is_asked_for_in_one_line(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "_BROKER_S", 0.5)
    for broker in (None, Connection(f"127.0.0.1:{free_ports(1)[0]}")):
        with pytest.raises(BrokerDown, match=r"necesita Kafka.*\./caudal up") as found:
            notebook.kafka(Lab(spark, tmp_path, broker=broker))
        assert "\n" not in str(found.value)


def test_waiting_ends_when_the_query_fails_or_the_time_is_over(home: Path) -> None:
    lab = notebook.abrir("espera")
    query = lab.start(
        lab.read(Rate(1)).selectExpr("raise_error('no puede ser') AS x"),
        Pipeline(Rate(1), Memory("falla"), trigger="default"),
        "falla",
    )
    with pytest.raises(RunFailed, match=r"falla: .*no puede ser"):
        notebook.espera(query, 1)
    slow = lab.start(lab.read(Rate(1)), Pipeline(Rate(1), Memory("lenta"), trigger="default"), "lenta")
    with pytest.raises(RunFailed, match=r"no ha leído 1000000 filas en 0\.2 s"):
        notebook.espera(slow, 1_000_000, plazo_s=0.2)
    notebook.para(slow)
    assert not slow.isActive
