"""The real launcher, JVM and Python driver: exact rows over two runs, and after a kill -9 at a bad moment."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from include import streams
from include.account import where
from include.samples import facturas as samples
from include.state import generations, lease
from include.torture.runs import RUN_S, Home, below, kill, multiset, python_driver, wait_for
from jobs.contract.commit import manifest
from tests.integration import here
from tests.integration.command_line import caudal_of
from tests.jobs.core.test_transactions import cut

pytestmark = pytest.mark.spark
START_MS = 1_700_000_000_000


def invoices(home: Home, seed: int, count: int = 50) -> Counter[str]:
    """Puts one file of invoices. Returns the rows it must become."""
    sample = samples.generate(count, seed=seed, start_ms=START_MS)
    home.put(f"f{seed}.json", sample.documents)
    return multiset(sample.expected_lines())


def batches(home: Home) -> dict[str, int | None]:
    """The batch that `where` names for each admitted file."""
    found = [
        f
        for n in (1, 2)
        for f in where.find(home.settings.layout, [streams.get(home.stream)], where.question(f"f{n}.json"))
    ]
    return {f.original_name: f.batch for f in found if f.place == "en_proceso"}


@pytest.mark.slow
def test_two_runs_give_exact_rows_and_a_third_finds_nothing_and_starts_no_spark(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "a home")
    expected = invoices(home, 1)
    first = home.start()
    assert wait_for(lambda: ".jsa" in _maps(first.pid), "the JVM maps the class-data cache", of=first)
    out, _ = first.communicate(timeout=RUN_S)
    assert first.returncode == 0, out
    waited = [
        line
        for line in out.splitlines()
        if line.startswith(("Spark is ready after ", "batch 0 begins", "batch 0: "))
    ]
    assert len(waited) == 3 and "WARNING" not in out, out
    columns = manifest.read(home.settings.layout.batch(home.stream, 1, 0)).columns
    assert (columns[0], columns[-1], len(columns)) == ("InvoiceNumber", "TotalValue", 15)
    assert home.rows() == expected
    assert (home.report().status, home.report().records_in, home.report().files_admitted) == ("done", 50, 1)
    expected += invoices(home, 2)
    assert batches(home) == {"f1.json": 0}
    assert caudal_of(home.settings, "archive", home.stream, "--apply")[0] == 0
    code, out = home.run()
    # Spark looks for the archived file and does not need it: no warning, no exception
    assert (code, "WARN " in out, "Exception" in out) == (0, False, False), out
    assert home.rows() == expected
    assert home.report().batches == (1,)
    assert batches(home) == {"f2.json": 1}
    code, out = home.run()
    assert (code, home.report().status, home.report().last_batch) == (0, "idle", 1)
    assert "Spark was not started" in out
    assert home.duckdb_count() == expected.total()
    assert home.processes() == []


def _maps(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return ""


def _staging(home: Home) -> Any:
    return lambda: any(below(home.settings.layout.staging(home.stream), "batch="))


def _planned(home: Home) -> Any:
    return lambda: (home.checkpoint / "offsets" / "0").exists()


def _published(home: Home) -> Any:
    return lambda: home.settings.layout.batch(home.stream, 1, 0).exists()


@pytest.mark.torture
@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "victim"),
    [(_planned, "python"), (_staging, "launcher's parent"), (_published, "jvm")],
    ids=["planned-python", "staging-parent", "published-jvm"],
)
def test_kill_9_in_mid_run_loses_and_repeats_nothing_and_leaves_no_process(
    tmp_path: Path, moment: Any, victim: str
) -> None:
    """Each moment and each victim once. The series in tests/torture combines them, and has more."""
    home = Home.at(tmp_path)
    expected = invoices(home, 1, count=4000)
    if victim == "launcher's parent":
        _run_under_a_parent_and_kill_it(home, moment(home))
    else:
        process = home.start()
        wait_for(moment(home), victim, of=process)
        found = python_driver(process.pid)
        kill(process.pid if victim == "jvm" else found.pid if found else process.pid)
        process.communicate(timeout=60)
        assert process.returncode != 0
    wait_for(lambda: home.processes() == [], "no process of this home is left", 20)
    code, out = home.run()
    assert code == 0, out
    assert home.rows() == expected
    assert home.duckdb_count() == expected.total()
    assert home.report().batches == (0,)
    assert home.files() == ["f1.json"]


def _run_under_a_parent_and_kill_it(home: Home, moment: Any) -> None:
    line = [
        str(home.settings.root / "include/launch/launcher"),
        f"jobs/{home.stream}.py",
        "--stream",
        home.stream,
    ]
    code = f"import subprocess, sys; sys.exit(subprocess.run({line!r}).returncode)"
    environ = {
        **home.settings.environ,
        "CAUDAL_PYTHON": sys.executable,
        "PYTHONPATH": str(home.settings.root),
    }
    parent = subprocess.Popen(
        [sys.executable, "-c", code], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(moment, "the run is under way")
    kill(parent.pid)
    parent.wait()


def test_a_second_run_at_the_same_time_is_refused_and_touches_nothing(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    owner = lease.Owner(os.getpid(), "r1", "2026-11-23T20:00:00+00:00", "runs/x")
    invoices(home, 1, count=1)
    with lease.acquire(home.settings.layout, home.stream, owner):
        code, out = home.run()
    assert code == 75
    assert "lease-held" in out
    assert str(os.getpid()) in out
    assert home.files() == ["f1.json"]
    assert not home.settings.layout.runs(home.stream).exists()


@pytest.mark.torture
@pytest.mark.slow
def test_a_stopped_jvm_keeps_its_lease_and_the_next_run_says_who_holds_it(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    expected = invoices(home, 1, count=2000)
    process = home.start()
    wait_for(_planned(home), "planned", of=process)
    os.kill(process.pid, signal.SIGSTOP)
    code, out = home.run()
    os.kill(process.pid, signal.SIGCONT)
    process.communicate(timeout=240)
    assert code == 75
    assert "STOPPED" in out
    home.run()
    assert home.rows() == expected


@pytest.mark.torture
@pytest.mark.slow
def test_offsets_that_are_lost_behind_their_output_are_refused_by_name(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    expected = invoices(home, 1)
    assert home.run()[0] == 0
    shutil.rmtree(home.checkpoint / "offsets")
    shutil.rmtree(home.checkpoint / "commits")
    invoices(home, 2)
    code, out = home.run()
    assert code == 65
    assert "pairing-broken" in out
    assert "output-ahead" in out
    assert home.rows() == expected


@pytest.mark.torture
@pytest.mark.slow
def test_output_that_is_lost_behind_its_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    invoices(home, 1)
    assert home.run()[0] == 0
    shutil.rmtree(home.settings.layout.batch(home.stream, 1, 0))
    invoices(home, 2)
    code, out = home.run()
    assert (code, "output-missing" in out) == (65, True)


@pytest.mark.slow
def test_a_batch_whose_offset_a_power_cut_took_is_merged_with_later_files(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = here.Home.on(spark, tmp_path, "facturas_ficheros")
    expected = invoices(home, 1)
    assert home.run()[0] == 0
    expected += invoices(home, 2)
    with cut(monkeypatch, "planned"):
        home.attempt()
    for name in ("1", ".1.crc"):
        (home.checkpoint / "offsets" / name).unlink()
    expected += invoices(home, 3)
    code, out = home.run()
    assert code == 0, out
    assert home.rows() == expected
    assert json.loads((home.settings.layout.batch(home.stream, 1, 1) / "_MANIFEST").read_bytes())["end"] == {
        "logOffset": 2
    }


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("jobs/x.py", "--stream", "nada"), "unknown-stream"),
        (
            ("--conf", "spark.x=1", "jobs/facturas_ficheros.py", "--stream", "facturas_ficheros"),
            "takes no option '--conf'",
        ),
        (
            ("jobs/facturas_ficheros.py", "--stream", "facturas_ficheros", "--conf", "a=b"),
            "takes no option '--conf'",
        ),
        (("--master", "yarn", "jobs/x.py", "--stream", "facturas_ficheros"), "unknown master 'yarn'"),
        (("jobs/x.py",), "--stream is missing"),
        (("--deploy-mode", "cluster", "jobs/x.py", "--stream", "facturas_ficheros"), "only client mode"),
    ],
)
def test_the_launcher_refuses_what_it_was_not_made_for_in_one_line(
    tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    code, out = Home.at(tmp_path).run(*words)
    assert code == 64
    assert says in out
    assert len(out.strip().splitlines()) == 1


def test_a_kafka_stream_without_a_broker_is_one_line_and_exit_69(tmp_path: Path) -> None:
    home = Home.at(tmp_path, "facturas_kafka")
    code, out = home.run()
    assert code == 69
    assert out.startswith("broker-down: ")
    assert home.report().error is not None
    assert home.report().error["code"] == "broker-down"


def test_a_lost_record_of_a_newer_generation_is_refused_by_name_and_nothing_is_read_again(
    tmp_path: Path,
) -> None:
    home = Home.at(tmp_path)
    layout = home.settings.layout
    for number in (1, 2):
        record = generations.Generation(home.stream, number, number - 1, "", {}, "2026-11-24T00:00:00+00:00")
        generations.begin(layout, record)
    layout.checkpoint(home.stream, 2).mkdir(parents=True)
    layout.generation_record(home.stream, 2).unlink()
    invoices(home, 1)
    code, out = home.run()
    assert (code, "generation 2 is there, but its record is lost" in out) == (65, True)
    assert len(out.strip().splitlines()) == 1
    assert home.files() == ["f1.json"]
    assert not layout.salida(home.stream).exists()
